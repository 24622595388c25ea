/* library_lines: see the header. */
#include "library_lines.h"

static const char *const lines[] = {
    /* clang-format off */
    "return bit.tobit(2^31), bit.tobit(2^32), bit.tobit(0.5), bit.tobit(1.5), bit.tobit(2.5"
    "), bit.tobit(-0.5), bit.tobit(2^51), bit.tobit(2^52+1), bit.tobit(2^53+2), bit.tobit(1"
    "e300), bit.tobit(1/0), bit.tobit(-1/0), bit.tobit(0/0), bit.tobit(2^60+2^20), bit.tobi"
    "t(-2^52-3),bit.tobit(\"0x10\")",
    "return bit.tohex(255), bit.tohex(255,-4), bit.tohex(255,0), bit.tohex(255,100), bit.to"
    "hex(255,-100), bit.tohex(255,1.5), bit.tohex(-1,3), bit.tohex(1,-2147483648), bit.tohe"
    "x(1,2147483647)",
    "return bit.band()",
    "return bit.band(\"x\")",
    "return bit.bnot()",
    "return bit.lshift(1,33), bit.lshift(1,-1), bit.rshift(-1,4), bit.arshift(-16,2), bit.r"
    "ol(0x12345678,8), bit.ror(0x12345678,8), bit.bswap(0x12345678)",
    "return bit.lshift(1)",
    "return bit.band(1,2,{})",
    "local o={} for k in pairs(bit) do o[#o+1]=k end table.sort(o) return table.concat(o,\""
    " \")",
    "local o={} for k in pairs(struct) do o[#o+1]=k end table.sort(o) return table.concat(o"
    ",\" \")",
    "local o={} for k,v in pairs(string) do o[#o+1]=k end table.sort(o) return table.concat"
    "(o,\" \")",
    "local o={} for k,v in pairs(table) do o[#o+1]=k end table.sort(o) return table.concat("
    "o,\" \")",
    "local o={} for k,v in pairs(math) do o[#o+1]=k end table.sort(o) return table.concat(o"
    ",\" \")",
    "return struct.pack(\"i9\",1), struct.pack(\"i16\",-1), struct.pack(\">i16\",-2), struc"
    "t.pack(\"i32\",3)",
    "return struct.unpack(\"i16\",struct.pack(\"i16\",-1)), struct.unpack(\">i16\",\"\\255"
    "\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\")",
    "return struct.unpack(\"i9\",(\"\\255\"):rep(9)), struct.unpack(\"I9\",(\"\\255\"):rep("
    "9)), struct.unpack(\"I8\",(\"\\255\"):rep(9)),struct.unpack(\"l\",(\"\\255\"):rep(9)),"
    " struct.unpack(\"i12\",(\"\\1\\2\\3\\4\\5\\6\\7\\8\\137\\10\\11\\12\")), struct.unpack"
    "(\"i12\",(\"\\1\\2\\3\\4\\5\\6\\7\\136\\9\\10\\11\\12\")), struct.unpack(\">i12\",(\""
    "\\1\\2\\3\\4\\5\\6\\7\\136\\9\\10\\11\\12\")), struct.unpack(\">i12\",(\"\\1\\2\\3\\4"
    "\\135\\6\\7\\136\\9\\10\\11\\12\"))",
    "return struct.pack(\"i33\",1)",
    "return struct.pack(\"i0\",1)",
    "return struct.unpack(\"i0\",\"abc\")",
    "return struct.size(\"i0\")",
    "return struct.size(\"!i0\")",
    "return struct.size(\"!bi\"), struct.size(\"!4bd\"), struct.size(\"!8bd\"),struct.size("
    "\"!bd\"),struct.size(\"!2bi\"), struct.size(\"bi\"), struct.size(\"!bc4i\"), struct.si"
    "ze(\"!b!1i\"), struct.size(\"!bi!1bi\"), struct.size(\"! i\"), struct.size(\"x!8i\"), "
    "struct.size(\"!16bi16\"), struct.size(\"!8bi3\"), struct.size(\"!8bi16\")",
    "return struct.size(\"!3bi\")",
    "return struct.size(\"!0bi\")",
    "return struct.size(\"!2147483648d\")",
    "return struct.size(\"!99999999999999d\")",
    "return struct.size(\"!64bi32\")",
    "return struct.size(\"!32bi32\")",
    "return struct.size(\"s\")",
    "return struct.size(\"c0\")",
    "return struct.size(\"c\")",
    "return struct.size(\"c10\")",
    "return struct.size(\"c2147483647c2147483647\")",
    "return struct.size(\"c2147483647\")",
    "return struct.size(\"c2147483648\")",
    "return struct.size(\"c4294967296\")",
    "return struct.size(\"n\")",
    "return struct.size(\"\")",
    "return struct.size()",
    "return struct.size(\"i i 4\"), struct.size(\" i4 \")",
    "return struct.size(\"i4x \")",
    "return struct.pack(\"c5\",\"abc\")",
    "return struct.pack(\"c2\",\"abc\"), struct.pack(\"c\",\"abc\"), struct.pack(\"c0\",\"a"
    "bc\")",
    "return struct.pack(\"s\",\"a\\0b\")",
    "return struct.pack(\"s\",5)",
    "return struct.pack(\"b\",\"x\")",
    "return struct.pack(\"b\")",
    "return struct.pack(\"s\",{})",
    "return struct.pack(\"bBhHiIlLT\",-1,255,-2,65535,-3,4294967295,-4,4,5)",
    "return struct.pack(\"b\",300), struct.pack(\"B\",-1), struct.pack(\"h\",70000),struct."
    "pack(\"i\",2^31), struct.pack(\"i\",2^40), struct.pack(\"i\",1.7), struct.pack(\"i\",-"
    "1.7), struct.pack(\"L\",2^63), struct.pack(\"L\",2^64), struct.pack(\"L\",-2^63), stru"
    "ct.pack(\"L\",-2^64),struct.pack(\"l\",1e300),struct.pack(\"l\",0/0),struct.pack(\"l\""
    ",1/0),struct.pack(\"l\",-1/0)",
    "return struct.pack(\"fd\",1.5,0.1), struct.pack(\">fd\",1.5,0.1), struct.pack(\"f\",1e"
    "300)",
    "return struct.pack(\">!4bi\",1,2), struct.pack(\"!bxd\",1,2)",
    "return struct.pack(\"i\",1,2)",
    "return struct.unpack(\"i\",\"abc\")",
    "return struct.unpack(\"i\",\"abcdefgh\",0)",
    "return struct.unpack(\"i\",\"abcdefgh\",-1)",
    "return struct.unpack(\"i\",\"abcdefgh\",5)",
    "return struct.unpack(\"i\",\"abcdefgh\",6)",
    "return struct.unpack(\"b\",\"abc\",100)",
    "return struct.unpack(\"\",\"abc\",100)",
    "return struct.unpack(\"\",\"abc\")",
    "return struct.unpack(\"i\",\"abcdefgh\",2147483648)",
    "return struct.unpack(\"i\",\"abcdefgh\",1e15)",
    "return struct.unpack(\"s\",\"abc\")",
    "return struct.unpack(\"ss\",\"abc\\0d\\0\")",
    "return struct.unpack(\"bc0\",\"\\3abc\")",
    "return struct.unpack(\"bc0\",\"\\4abc\")",
    "return struct.unpack(\"bc0\",\"\\255abc\")",
    "return struct.unpack(\"c0\",\"abc\")",
    "return struct.unpack(\"sc0\",\"3\\0abc\")",
    "return struct.unpack(\"dc0b\",struct.pack(\"d\",2^40)..\"abc\")",
    "return struct.unpack(\"lc0b\",struct.pack(\"l\",-1)..\"abc\")",
    "return struct.unpack(\"bc0c0\",\"\\1abc\")",
    "return struct.unpack(\"bxc0\",\"\\1\\0abc\")",
    "return struct.unpack(\"c1c2\",\"abc\")",
    "return struct.unpack(\"c\",\"abc\")",
    "return struct.unpack(\"c4\",\"abc\")",
    "return struct.unpack(\"f\",struct.pack(\"f\",0.1)), struct.unpack(\"d\",struct.pack(\""
    "d\",0.1))",
    "return struct.unpack(\"!bi\",\"\\1\\2\\3\\4\\5\\6\\7\\8\")",
    "return struct.unpack(\"!i\",\"x\\1\\2\\3\\4\\5\\6\\7\\8\",2)",
    "return struct.unpack(\"x\",\"\")",
    "return struct.unpack(\"xx\",\"a\")",
    "return struct.unpack((\"b\"):rep(300),(\"x\"):rep(300))",
    "return select(\"#\",struct.unpack((\"b\"):rep(7000),(\"x\"):rep(7000)))",
    "return select(\"#\",struct.unpack((\"b\"):rep(9000),(\"x\"):rep(9000)))",
    "return struct.pack(\"i2147483647\",1)",
    "return struct.pack(\"i2147483648\",1)",
    "return struct.pack(\">I99999999999\",1)",
    "return struct.pack(\"c2147483648\",\"a\")",
    "return struct.pack(\"c-1\",\"a\")",
    "return struct.pack(\"i-1\",\"a\")",
    "return struct.pack(\"<>!i\",\"a\")",
    "return struct.pack(\"!4 <b i\",1,2)",
    "return struct.pack(\"b\\0i\",1,2)",
    "return struct.pack(5,1)",
    "return struct.pack(\"=i\",1)",
    "return struct.size(\"!8bbi3\"),struct.size(\"!8bbbi3\"),struct.size(\"!8bbi5\"),struct"
    ".size(\"!8bbbbi7\")",
    "return struct.unpack(\"\",\"abc\",-1)",
    "return struct.unpack(\"\",\"abc\",1e20), struct.unpack(\"\",\"abc\",2^40)",
    "return struct.unpack(\"dc0\",struct.pack(\"d\",0/0)..\"abc\")",
    "return struct.unpack(\"dc0\",struct.pack(\"d\",1.9)..\"abc\")",
    "return struct.unpack(\"dc0\",struct.pack(\"d\",2^64+1)..\"abc\")",
    "return struct.pack(\"c0\")",
    "return struct.pack(\"bs\",1)",
    "return struct.unpack(\"i\")",
    "return struct.unpack(nil,\"\")",
    "return struct.unpack(\"i9\",\"abc\")",
    "return struct.unpack(\"!8bi33\",\"abc\")",
    "return struct.unpack(\"c3c0\",\"abcd\")",
    "return struct.unpack(\"zc0\",\"abcd\")",
    "return struct.unpack(\"b!3\",\"abcd\")",
    "return cmsgpack.pack(1/0,-1/0,0/0,-0,0.5,0.1,2^53,2^63,-2^63,-2^64,1e300,-128,-129,-32"
    "768,-32769,-2147483648,-2147483649,65535,65536,4294967295,4294967296)",
    "return cmsgpack.pack()",
    "return cmsgpack.pack(nil)",
    "return cmsgpack.pack(true,false,function() end,coroutine.create(function() end), cjson"
    ".null)",
    "return cmsgpack.pack({1,2,3}),cmsgpack.pack({}),cmsgpack.pack({1,2,nil,4}),cmsgpack.pa"
    "ck({[0]=1}),cmsgpack.pack({[1.5]=1}),cmsgpack.pack({a=1}),cmsgpack.pack({[2]=1,[1]=2})"
    ",cmsgpack.pack({[\"1\"]=1}),cmsgpack.pack({[1/0]=5}),cmsgpack.pack({[-1]=5})",
    "return cmsgpack.pack({[{}]=1}),cmsgpack.pack({[true]=1})",
    "local t={} for i=1,15 do t[i]=i end return cmsgpack.pack(t)",
    "local t={} for i=1,16 do t[i]=i end return cmsgpack.pack(t)",
    "local t={} for i=1,70000 do t[i]=1 end return #cmsgpack.pack(t),cmsgpack.pack(t):sub(1"
    ",8)",
    "local t={} for i=1,16 do t[\"k\"..i]=i end return cmsgpack.pack(t):sub(1,4)",
    "local t={} for i=1,20 do t={t} end return cmsgpack.pack(t)",
    "local t=5 for i=1,15 do t={t} end return cmsgpack.pack(t)",
    "local t=5 for i=1,16 do t={t} end return cmsgpack.pack(t)",
    "local t=5 for i=1,17 do t={t} end return cmsgpack.pack(t)",
    "local t=5 for i=1,17 do t={a=t} end return cmsgpack.pack(t)",
    "local t={} t[t]=t return cmsgpack.pack(t)",
    "local t={} t[1]=t return cmsgpack.pack(t)",
    "return cmsgpack.pack((\"x\"):rep(31)):sub(1,3),cmsgpack.pack((\"x\"):rep(32)):sub(1,3)"
    ",cmsgpack.pack((\"x\"):rep(256)):sub(1,4),cmsgpack.pack((\"x\"):rep(65536)):sub(1,6)",
    "local t={} for i=1,7000 do t[i]=i end return #cmsgpack.pack(unpack(t))",
    "return cmsgpack.unpack(\"\")",
    "return cmsgpack.unpack()",
    "return cmsgpack.unpack(nil)",
    "return cmsgpack.unpack(5)",
    "return cmsgpack.unpack(\"\\1\\2\\3\")",
    "return cmsgpack.unpack(\"\\193\")",
    "return cmsgpack.unpack(\"\\1\\193\")",
    "return cmsgpack.unpack(\"\\196\\1a\"),1",
    "return cmsgpack.unpack(\"\\217\")",
    "return cmsgpack.unpack(\"\\217\\5a\")",
    "return cmsgpack.unpack(\"\\204\")",
    "return cmsgpack.unpack(\"\\146\\1\")",
    "return cmsgpack.unpack(\"\\221\\255\\255\\255\\255\")",
    "return cmsgpack.unpack(\"\\223\\255\\255\\255\\255\")",
    "return cmsgpack.unpack(\"\\129\\192\\1\")",
    "return cmsgpack.unpack(\"\\129\\202\\127\\192\\0\\0\\1\")",
    "return cmsgpack.unpack(\"\\129\\1\\192\")",
    "return cmsgpack.unpack(\"\\147\\1\\192\\3\")",
    "return cmsgpack.unpack(\"\\207\\255\\255\\255\\255\\255\\255\\255\\255\"), cmsgpack.un"
    "pack(\"\\207\\128\\0\\0\\0\\0\\0\\0\\0\"), cmsgpack.unpack(\"\\211\\128\\0\\0\\0\\0\\0"
    "\\0\\0\"), cmsgpack.unpack(\"\\210\\255\\255\\255\\255\"), cmsgpack.unpack(\"\\206\\25"
    "5\\255\\255\\255\"), cmsgpack.unpack(\"\\209\\255\\255\"), cmsgpack.unpack(\"\\205\\25"
    "5\\255\"),cmsgpack.unpack(\"\\208\\255\"),cmsgpack.unpack(\"\\204\\255\"),cmsgpack.unp"
    "ack(\"\\202\\63\\128\\0\\0\"),cmsgpack.unpack(\"\\203\\63\\240\\0\\0\\0\\0\\0\\0\"), c"
    "msgpack.unpack(\"\\207\\0\\32\\0\\0\\0\\0\\0\\1\")",
    "return cmsgpack.unpack(string.rep(\"\\145\",5)..'\\1')",
    "local d=cmsgpack.unpack(string.rep(\"\\145\",2000)..'\\1') local n=0 while type(d)==\""
    "table\" do d=d[1] n=n+1 end return n",
    "local d=cmsgpack.unpack(string.rep(\"\\145\",7900)..'\\1') local n=0 while type(d)==\""
    "table\" do d=d[1] n=n+1 end return n",
    "local d=cmsgpack.unpack(string.rep(\"\\145\",100000)..'\\1') local n=0 while type(d)=="
    "\"table\" do d=d[1] n=n+1 end return n",
    "local d=cmsgpack.unpack(string.rep(\"\\129\\1\",100000)..'\\1') local n=0 while type(d"
    ")==\"table\" do d=d[1] n=n+1 end return n",
    "local lo,hi=1,10000 while lo<hi do local m=math.ceil((lo+hi)/2) if pcall(cmsgpack.unpa"
    "ck,string.rep(\"\\145\",m)..\"\\1\") then lo=m else hi=m-1 end end return lo",
    "local lo,hi=1,10000 while lo<hi do local m=math.ceil((lo+hi)/2) if pcall(cmsgpack.unpa"
    "ck,string.rep(\"\\129\\1\",m)..\"\\1\") then lo=m else hi=m-1 end end return lo",
    "return select(\"#\",cmsgpack.unpack(string.rep(\"\\1\",7000)))",
    "return select(\"#\",cmsgpack.unpack(string.rep(\"\\1\",9000)))",
    "local lo,hi=1,10000 while lo<hi do local m=math.ceil((lo+hi)/2) if pcall(cmsgpack.unpa"
    "ck,string.rep(\"\\1\",m)) then lo=m else hi=m-1 end end return lo",
    "return cmsgpack.unpack_one(\"\\1\\2\\3\"), cmsgpack.unpack_one(\"\\1\\2\\3\",1), cmsgp"
    "ack.unpack_one(\"\\1\\2\\3\",2)",
    "return cmsgpack.unpack_one(\"\\1\\2\\3\",3)",
    "return cmsgpack.unpack_one(\"\\1\\2\\3\",4)",
    "return cmsgpack.unpack_one(\"\\1\\2\\3\",-1)",
    "return cmsgpack.unpack_one(\"\")",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",2)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",2,1)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",2,2)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",0)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",0,1)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",0,-1)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",-1)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",3)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",3,-1)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\")",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",5,99)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",2147483648)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",1,4294967296)",
    "return cmsgpack.unpack_limit(\"\\1\\2\\3\",1,1e20)",
    "return cmsgpack.unpack(\"\\192\\194\\195\")",
    "return cmsgpack.unpack(\"\\129\\194\\195\")",
    "return cmsgpack.unpack(\"\\212\\1\\2\"),1",
    "return cmsgpack.unpack(\"\\130\\1\\2\\1\\3\")",
    "return cmsgpack.unpack(\"\\129\\1\"),1",
    "return cmsgpack.pack(2^24+1,16777216.5,1.1e-40,3.4e38,3.5e38)",
    "return cmsgpack.unpack(\"\\219\\255\\255\\255\\255a\")",
    "return cjson.encode()",
    "return cjson.encode(1,2)",
    "return cjson.encode(nil)",
    "return cjson.encode(\"a\\0\\1\\31 /\\\\\\\"\\127\\200\"), cjson.encode(true), cjson.en"
    "code(cjson.null), cjson.encode(\"\\8\\9\\10\\12\\13\")",
    "return cjson.encode(0.1), cjson.encode(1e15), cjson.encode(123456789012345), cjson.enc"
    "ode(-0), cjson.encode(1e-7), cjson.encode(1/3), cjson.encode(1e300)",
    "return cjson.encode({1,nil,3}), cjson.encode({[1]=1,[10]=1}), cjson.encode({[0]=1}), c"
    "json.encode({[1.5]=1}), cjson.encode({[-1]=2}), cjson.encode({1,a=2}), cjson.encode({["
    "1e15]=\"x\",a=1}), cjson.encode({[0.1]=\"y\"})",
    "return cjson.encode({[11]=1})",
    "return cjson.encode({[true]=1})",
    "return cjson.encode({[1/0]=1})",
    "return cjson.encode({[0/1]=1,a={[function() end]=1}})",
    "return cjson.encode({function() end})",
    "return cjson.encode(coroutine.create(function() end))",
    "return cjson.encode(0/0)",
    "return cjson.encode({a=1/0})",
    "local t={} t[1]=t return cjson.encode(t)",
    "local t={} t.x=t return cjson.encode(t)",
    "local t={} for i=1,999 do t={t} end return #cjson.encode(t)",
    "local t={} for i=1,1000 do t={t} end return #cjson.encode(t)",
    "return cjson.decode()",
    "return cjson.decode(5)",
    "return cjson.decode({})",
    "return cjson.decode(\"\")",
    "return cjson.decode(\" \")",
    "return cjson.decode(\"[]\"), cjson.decode(\"{}\"), cjson.decode(\"[1,2]\"), cjson.deco"
    "de('{\"a\":1,\"b\":[true,false,null]}')",
    "return cjson.decode(\"[1,]\")",
    "return cjson.decode(\"[1 2]\")",
    "return cjson.decode(\"[1\")",
    "return cjson.decode(\"{1:2}\")",
    "return cjson.decode(\"{a:2}\")",
    "return cjson.decode('{\"a\" 2}')",
    "return cjson.decode('{\"a\":2')",
    "return cjson.decode('{\"a\":2,}')",
    "return cjson.decode('{\"a\":}')",
    "return cjson.decode('[1] x')",
    "return cjson.decode('1 2')",
    "return cjson.decode('\"abc')",
    "return cjson.decode('\"a\\\\q\"')",
    "return cjson.decode('\"a\\\\u12\"')",
    "return cjson.decode('\"\\\\ud800\"')",
    "return cjson.decode('\"\\\\ud800\\\\u0041\"')",
    "return cjson.decode('\"\\\\ud83d\\\\ude00 \\\\u00e9 \\\\u20ac \\\\u0041\\\\u0000\"')",
    "return cjson.decode('\"\\\\udc00\"')",
    "return cjson.decode('\"a\\nb\"'), cjson.decode('\"\\\\/\\\\b\\\\f\\\\n\\\\r\\\\t\\\\\""
    "\\\\\\\\\"')",
    "return cjson.decode('\"a\\0b\"')",
    "return cjson.decode('nan'), cjson.decode('NaN'), cjson.decode('Infinity'), cjson.decod"
    "e('-Infinity'), cjson.decode('inf'), cjson.decode('-inf'),cjson.decode('-nan')",
    "return cjson.decode('infx'),1",
    "return cjson.decode('nanx'),1",
    "return cjson.decode('nane'),1",
    "return cjson.decode('0x10'), cjson.decode('01'), cjson.decode('-0'), cjson.decode('1e5"
    "'), cjson.decode('-1.5E-3'), cjson.decode('0x1p4'), cjson.decode('1.')",
    "return cjson.decode('.5')",
    "return cjson.decode('+1')",
    "return cjson.decode('-')",
    "return cjson.decode('-a')",
    "return cjson.decode('1e')",
    "return cjson.decode('1e5x')",
    "return cjson.decode('1e999')",
    "return cjson.decode('-0x1')",
    "return cjson.decode('0x')",
    "return cjson.decode('tru')",
    "return cjson.decode('true1')",
    "return cjson.decode('truefalse')",
    "return cjson.decode('nul')",
    "return cjson.decode('null\\0abc')",
    "return cjson.decode('[1]\\0abc')",
    "return cjson.decode('[1,\\0abc')",
    "return cjson.decode('\\0001')",
    "return cjson.decode('\\239\\187\\191[1]')",
    "return cjson.decode('[\\1]')",
    "return cjson.decode('\"\\1\"')",
    "return cjson.decode((\"[\"):rep(1000)..(\"]\"):rep(1000))",
    "return cjson.decode((\"[\"):rep(1001)..(\"]\"):rep(1001))",
    "return cjson.decode(('{\"a\":'):rep(1001)..'1'..(\"}\"):rep(1001))",
    "return cjson.decode('{\"a\":1,\"a\":2}')",
    "return cjson.decode('{\"\":1}')",
    "return cjson.decode('{\"1\":1}')",
    "return cjson.decode(\",\")",
    "return cjson.decode(\":\")",
    "return cjson.decode(\"]\")",
    "return cjson.decode(\"}\")",
    "return cjson.decode(\"[}\")",
    "return cjson.decode(\"{]\")",
    "return cjson.decode(\"{,\")",
    "return cjson.decode(\"/* */1\")",
    "return cjson.decode(\"\\f1\")",
    "return cjson.decode(\" \\t\\r\\n1 \\t\\r\\n\")",
    "return cjson.decode(\"\\v1\")",
    "return cjson.decode(\"'a'\")",
    "return cjson.decode(\"[1,2,3,4,5,6,7,8,9,10,null]\")",
    "return cjson.encode_max_depth(), cjson.decode_max_depth(), cjson.encode_number_precisi"
    "on(), cjson.encode_keep_buffer(), cjson.encode_invalid_numbers(), cjson.decode_invalid"
    "_numbers(), cjson.encode_sparse_array()",
    "return cjson.encode_max_depth(0)",
    "return cjson.encode_max_depth(\"x\")",
    "return cjson.encode_max_depth(1.5)",
    "return cjson.encode_max_depth(1,2)",
    "return cjson.encode_max_depth(2147483648)",
    "return cjson.encode_number_precision(0)",
    "return cjson.encode_number_precision(15)",
    "return cjson.encode_number_precision(14)",
    "return cjson.encode_keep_buffer(\"on\"), cjson.encode_keep_buffer(\"off\"), cjson.enco"
    "de_keep_buffer(true)",
    "return cjson.encode_keep_buffer(\"x\")",
    "return cjson.encode_keep_buffer(1)",
    "return cjson.encode_invalid_numbers(\"null\"), cjson.encode_invalid_numbers(\"on\"), c"
    "json.encode_invalid_numbers(false)",
    "return cjson.decode_invalid_numbers(\"null\")",
    "return cjson.decode_invalid_numbers(\"on\"),cjson.decode_invalid_numbers(\"off\"),cjso"
    "n.decode_invalid_numbers(true)",
    "return cjson.encode_sparse_array(true), cjson.encode_sparse_array(true,3), cjson.encod"
    "e_sparse_array(false,2,10)",
    "return cjson.encode_sparse_array(true,-1)",
    "return cjson.encode_sparse_array(1)",
    "return cjson.encode_sparse_array(\"on\")",
    "return cjson.encode_sparse_array(false,2,10,4)",
    "cjson.encode_sparse_array(true) local r=cjson.encode({[11]=1}) cjson.encode_sparse_arr"
    "ay(false) return r",
    "cjson.encode_sparse_array(false,0,10) local r=cjson.encode({[100]=1}) cjson.encode_spa"
    "rse_array(false,2,10) return r",
    "cjson.encode_invalid_numbers(true) local a,b,c=cjson.encode(0/0), cjson.encode(1/0), c"
    "json.encode(-1/0) cjson.encode_invalid_numbers(\"null\") local d,e=cjson.encode(1/0),c"
    "json.encode({[1/0]=1,a=1}) cjson.encode_invalid_numbers(false) return a,b,c,d,e",
    "cjson.decode_invalid_numbers(false) local a,b,c,d={pcall(cjson.decode,\"nan\")},{pcall"
    "(cjson.decode,\"0x1\")},{pcall(cjson.decode,\"01\")},{pcall(cjson.decode,\"-inf\")} cj"
    "son.decode_invalid_numbers(true) return a,b,c,d",
    "cjson.decode_invalid_numbers(false) local r={} for i,s in ipairs{\"-Infinity\",\"Infin"
    "ity\",\"-nan\",\"00\",\"-0\",\"-01\",\"-0x1\",\"1e999\",\"1.5\",\"0.5\",\"0e5\",'-00.5"
    "','inf'} do local a,b=pcall(cjson.decode,s) r[s]=b end cjson.decode_invalid_numbers(tr"
    "ue) return r",
    "cjson.encode_number_precision(3) local r=cjson.encode(3.14159) cjson.encode_number_pre"
    "cision(14) return r",
    "cjson.encode_max_depth(2) local a,b,c=cjson.encode({{1}}),pcall(cjson.encode,{{{1}}}) "
    "cjson.encode_max_depth(1000) return a,b,c",
    "cjson.decode_max_depth(2) local a,b,c=cjson.decode(\"[[1]]\"),pcall(cjson.decode,\"[[["
    "1]]]\") cjson.decode_max_depth(1000) return a,b,c",
    "local n=cjson.new() local o={} for k in pairs(n) do o[#o+1]=k end table.sort(o) return"
    " table.concat(o,\" \")",
    "local n=cjson.new() n.encode_max_depth(3) return n.encode_max_depth(), cjson.encode_ma"
    "x_depth(), n.decode(\"[null]\"), n.null==cjson.null",
    "local n=cjson.new() n.x=5 return n.x",
    "return cjson.encode(setmetatable({},{__index=function() return 5 end})), cjson.encode("
    "setmetatable({1,2},{__len=function() return 0 end}))",
    "return tostring(cjson.null), type(cjson.null)",
    "return tonumber('12'),tonumber('-7'),tonumber('0'),1/tonumber('-0'),1/tonumber('-00'),to"
    "number('007')",
    "return tonumber('99999999999999'),tonumber('999999999999999'),tonumber('-99999999999999'"
    ")==-99999999999999",
    "return tonumber(' 12 '),tonumber('-'),tonumber(''),tonumber('1e3'),tonumber('0x10'),tonu"
    "mber('1.5'),tonumber('+5')",
    "return tonumber('12',10),tonumber('ff',16),tonumber('12',nil),tonumber('z',36),tonumber("
    "'8',8),tonumber(5),tonumber({})",
    "return tonumber('1 2'),tonumber('1\\0'),tonumber('--1'),tonumber('- 1'),tonumber(nil),to"
    "number(true)",
    "return pcall(tonumber)",
    "return pcall(tonumber,'1',99)",
    "return pcall(tonumber,nil,7)",
    "return tostring(0),tostring(-0),tostring(1),tostring(-1),tostring(99999999999999),tostri"
    "ng(-99999999999999)",
    "return tostring(1e14),tostring(1e15),tostring(123456789012345),tostring(2^53),tostring(-"
    "1e14),tostring(1e300)",
    "return tostring(1.5),tostring(0.1),tostring(1/0),tostring(-1/0),tostring('x'),tostring(n"
    "il),tostring(true)",
    "return tostring(12,'more'),tostring(setmetatable({},{__tostring=function() return 'own' "
    "end}))",
    "return pcall(tostring)",
    "return cjson.encode({[1]=\"a\",[2]=\"b\",[\"3\"]=\"c\"}),cjson.encode({[\"a\\0b\"]=\"a"
    "\"})",
    "return cjson.encode(cjson.decode('{\"a\":{\"b\":[1,2,{\"c\":null}]}}'))",
    "return cjson.decode((\"1\"):rep(50)),cjson.decode(\"0.\"..(\"1\"):rep(500)),cjson.deco"
    "de((\"1\"):rep(400)), cjson.decode(\"123456789012345678901234567890e-10\")",
    "return cjson.decode(\"[1,2\"..(\"x\"):rep(100)..\"]\")",
    "return cjson.decode(\"1e5.5\")",
    "return cjson.decode('\"\\\\u00E9\\\\uFFFF\\\\ud7ff\\\\ue000\\\\uDBFF\\\\uDFFF\"')",
    "return cjson.decode('\"\\\\ud800\\\\ud800\"')",
    "return cjson.decode('\"\\\\ud800\\\\u\"')",
    "return cjson.decode('\"\\\\u')",
    "return cjson.decode('\"\\\\')",
    "return cjson.decode('\"\\\\u12g4\"')",
    "return cjson.decode('\"abc\\\\ud800\"')",
    "return cjson.decode('{\"a\":nan,\"b\":-}')",
    "return cjson.decode('i')",
    "return cjson.decode('n')",
    "return cjson.decode('I')",
    "return cjson.decode('N')",
    "return cjson.decode('-i'),1",
    "return cjson.decode('-I'),1",
    "return cjson.decode('-n'),1",
    "return cjson.decode('-INF'),cjson.decode('NAN'),cjson.decode('iNfInItY')",
    "return cjson.decode('NUL')",
    "return cjson.decode('True')",
    "return cjson.decode('infinit')",
    "return cjson.decode('nan(123)')",
    "return cjson.decode('0X1F'),cjson.decode('0x.8'),cjson.decode('0x1.8p1')",
    "return cjson.encode({[2^31]=1})",
    "return cjson.encode({[2^31-1]=1})",
    "return cjson.encode({[2^40]=1})",
    "return cjson.encode({[2^60]=1})",
    "return cjson.encode({[1e300]=1})",
    "return cjson.encode({[2^32+1]=1})",
    "math.randomseed(42) return math.random(1000),math.random(1000),math.random(1000),math."
    "random(),math.random(5,10),math.random(-5,5)",
    "math.randomseed(-1) return math.random(1000)",
    "math.randomseed(2^31) return math.random(1000)",
    "math.randomseed(2^32+42) return math.random(1000)",
    "math.randomseed(1.9) return math.random(1000)",
    "math.randomseed(\"42\") return math.random(1000)",
    "return math.randomseed()",
    "return math.random(0)",
    "return math.random(5,4)",
    "return math.random(1,2,3)",
    "return string.rep(\"ab\",3),string.rep(\"a\",0),string.rep(\"a\",-1),string.rep(\"\",5"
    "),string.rep(\"x\",2.9)",
    "return string.rep(\"a\")",
    "return string.rep()",
    "return unpack({1,2,3}),unpack({1,2,3},2),unpack({1,2,3},-1,1),unpack({},1,3)",
    "return unpack({1,2},1,8000)",
    "return unpack({1},-1,2147483647)",
    "return unpack(\"x\")",
    "return unpack({1,2,3},nil,2)",
    "return unpack({1,2,3},1,nil)",
    "return load(\"x\")",
    "return load(function() return nil end)",
    "local n=0 return load(function() n=n+1 return ({\"return \",\"1\",\"+2\"})[n] end)()",
    "local n=0 return load(function() n=n+1 return ({\"retur\",\"1\",\"+2\"})[n] end)",
    "local n=0 return load(function() n=n+1 return ({\"return error('x')\"})[n] end,\"@foo"
    "\")()",
    "local n=0 return load(function() n=n+1 return ({\"return error('x')\"})[n] end,\"foo\""
    ")()",
    "local n=0 return load(function() n=n+1 return ({\"return error('x')\"})[n] end)()",
    "return load(function() return {} end)",
    "return load(function() error(\"x\") end)",
    "return load(function() error({}) end)",
    "return load(function() return 5 end and nil)",
    "local n=0 return load(function() n=n+1 if n==1 then return string.dump(function() end)"
    " end end)",
    "return loadstring(string.dump(function() end))",
    "return loadstring(\"return 1+1\")(), loadstring(\"x x\"), loadstring(\"return 1\",\"=n"
    "m\")",
    "return loadstring()",
    "return loadstring(\"\")",
    "return loadstring(\"error('x')\")()",
    "return collectgarbage(\"x\")",
    "return type(collectgarbage(\"count\")), type(gcinfo())",
    "return table.insert({},1), table.insert({},1,2)",
    "local t={1,2,3} table.insert(t,2,9) table.insert(t,7,5) table.insert(t,0,6) table.inse"
    "rt(t,-2,7) return t",
    "return table.insert({})",
    "return table.insert({},1,2,3)",
    "return table.insert(5,1)",
    "return table.insert({},\"x\",1)",
    "return table.concat({1,2,3},\",\",2,3),table.concat({}),table.concat({1,{}})",
    "return table.concat({1,2},\",\",1,5)",
    "return table.concat({},\"x\",2147483647,2147483647)",
    "return table.remove({}),table.remove({1,2,3}),table.remove({1,2,3},1),table.remove({1,"
    "2,3},9)",
    "return table.setn({},1)",
    "return string.format(\"%5.1f|%s|%q|%d|%x|%g|%c|%i|%u|%o|%e|%%\",3.14159,\"a\",\"b\\n\\"
    "0\",3,255,1e20,65,7,8,9,1.5)",
    "return string.format(\"%99.99f\",1e308)",
    "return string.format(\"%100d\",1)",
    "return string.format(\"%s\",nil)",
    "return string.format(\"%d\",\"x\")",
    "return string.format(\"%y\",1)",
    "return string.format(\"%\")",
    "return string.format(\"%5s%-5s|%.2s\",\"a\",\"b\",\"abc\")",
    "return string.byte(\"abc\",1,-1),string.byte(\"\"),string.byte(\"abc\",10),string.char"
    "(65,66),string.char()",
    "return string.byte(string.rep(\"a\",9000),1,-1)",
    "return string.char(256)",
    "return string.gfind(\"a\",\"a\")()",
    "return (\"x\"):rep(3),(\"abc\"):sub(2),#\"abc\",(\"x\"):upper()",
    "return string.find(\"abc\",\"b\",1,true),string.find(\"abc\",\"\",10),string.find(\"ab"
    "c\",\"\",4),string.find(\"abc\",\"c\",-1),string.find(\"a.c\",\".\",1,true),string.fin"
    "d(\"abc\",\"b\",-100)",
    "return string.find(\"a\\0b\",\"\\0\"),string.find(\"a\\0b\",\"a\\0.\"),string.find(\"a"
    "\\0b\",\"%z\"),string.match(\"a\\0b\",\"a.b\"),string.find(\"a\\0b\",\"[\\0]\")",
    "return string.gsub(\"hello world\",\"o\",\"0\"),string.gsub(\"abc\",\"%w\",\"%0%0\"),s"
    "tring.gsub(\"abc\",\"\",\"-\"),string.gsub(\"abc\",\".\",{a=1,b=true}),string.gsub(\"a"
    "bc\",\"b\",function() return false end)",
    "return string.gsub(\"abc\",\"b\",\"%\")",
    "return string.gsub(\"abc\",\"b\",\"%9\")",
    "return string.gsub(\"abc\",\"(b)\",\"%2\")",
    "return string.gsub(\"abc\",\"b\",function() return {} end)",
    "return string.gsub(\"abc\",\"b\")",
    "return string.gsub(\"abc\",\"b\",nil)",
    "return string.gsub(\"abc\",\"b\",\"x\",0),string.gsub(\"aaa\",\"a\",\"x\",2),string.gs"
    "ub(\"abc\",\"^a\",\"x\"),string.gsub(\"aaa\",\"^a\",\"x\"),string.gsub(\"aaa\",\"a\","
    "\"x\",-1)",
    "return string.gsub(\"abc\",\"b\",\"%a\"),string.gsub(\"abc\",\"b\",\"%%\")",
    "return string.match(\"key=val\",\"(%w+)=(%w+)\"),string.match(\"abc\",\"()b()\"),strin"
    "g.match(\"  x \",\"^%s*(.-)%s*$\"),string.match(\"[[x]]\",\"%[%[(.-)%]%]\"),string.mat"
    "ch(\"f(a(b)c)d\",\"%b()\")",
    "return string.match(\"THE (quick) fox\",\"%f[%a]%a+\"),string.match(\"abab\",\"(ab)%1"
    "\"),string.match(\"x\",\"%f\")",
    "return string.match(\"a\",\"(\")",
    "return string.match(\"a\",\")\")",
    "return string.match(\"a\",\"%\")",
    "return string.match(\"a\",\"[a\")",
    "return string.match(\"a\",\"[]\")",
    "return string.match(\"a\",\"[^]\")",
    "return string.match(\"a\",\"[%\")",
    "return string.match(\"a\",\"%1\")",
    "return string.match(\"a\",\"(%1)\")",
    "return string.match(\"a\",\"%b\")",
    "return string.match(\"a\",\"%bx\")",
    "return string.match(\"a\",string.rep(\"(a\",40))",
    "return string.match(\"a\",string.rep(\"()\",33))",
    "return string.match(\"a\",\"(()\")",
    "return string.match(\"]\",\"[]]\"),string.match(\"^\",\"[x^]\"),string.match(\"-\",\"["
    "a-]\"),string.match(\"b\",\"[a-c]\"),string.match(\"a\",\"[%a-z]\"),string.match(\"-\""
    ",\"[%a-z]\"),string.match(\"a$\",\"a$\"),string.match(\"a$b\",\"a$b\"),string.match(\""
    "a^b\",\"a^b\")",
    "local r={} for k,v in string.gmatch(\"a=1, b=2\",\"(%w+)=(%w+)\") do r[k]=v end return"
    " r",
    "local r={} for k in string.gmatch(\"abc\",\"\") do r[#r+1]=k end return #r",
    "local r={} for k in string.gmatch(\"^a^a\",\"^a\") do r[#r+1]=k end return #r",
    "return string.gmatch(\"a\")",
    "return string.find(\"abc\")",
    "return string.find(\"a\",\"b\",\"c\")",
    /* clang-format on */
};

const char *library_line(size_t i) {
    return i < sizeof lines / sizeof *lines ? lines[i] : NULL;
}
