# redis-rb with its default settings: what a cache's user does with it.
require "redis"

PORT = ENV.fetch("LARDER_PORT").to_i
BINARY = ((0..255).map(&:chr).join.b * 3 + "\r\n$-1\r\n\0".b).freeze
$passed = 0
$failed = 0

def check(name)
  client = Redis.new(port: PORT)
  yield client
  $passed += 1
rescue StandardError => problem
  $failed += 1
  puts "FAILED #{name}: #{problem.class}: #{problem.message} (#{problem.backtrace.first})"
ensure
  client&.close
end

def same(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

def raises(words)
  yield
rescue Redis::CommandError => problem
  raise "another error: #{problem.message}" unless problem.message.include?(words)
else
  raise "no error"
end

check("connects") do |client|
  same "PONG", client.ping
  same "text", client.echo("text")
end

check("strings") do |client|
  same "OK", client.set("s", "value")
  same "value", client.get("s")
  same false, client.set("s", "x", nx: true)
  same "value", client.getset("s", "new")
  same 4, client.append("s", "!")
  same "new!", client.getdel("s")
  same nil, client.get("s")
end

check("binary values") do |client|
  client.set(BINARY, BINARY)
  same BINARY, client.get(BINARY).b
  same 1, client.del(BINARY)
  big = Random.bytes(2 * 1024 * 1024)
  client.set("big", big)
  same true, client.get("big").b == big
  client.del("big")
end

check("deadlines") do |client|
  client.set("d", 1, ex: 100)
  same true, client.ttl("d").between?(99, 100)
  same true, client.expire("d", 50)
  same true, client.pttl("d").between?(49_000, 50_000)
  same true, client.persist("d")
  same(-1, client.ttl("d"))
  client.psetex("d", 20, "v")
  last = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
  while client.exists?("d")
    raise "the key never expires" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > last
  end
end

check("counters") do |client|
  same 1, client.incr("n")
  same 42, client.incrby("n", 41)
  same 41, client.decr("n")
  same 41.5, client.incrbyfloat("n", 0.5)
  raises("not an integer") { client.incr("n") }
  client.del("n")
end

check("several keys") do |client|
  same "OK", client.mset("a", 1, "b", 2)
  same ["1", nil, "2"], client.mget("a", "none", "b")
  same({ "a" => "1", "b" => "2" }, client.mapped_mget("a", "b"))
  same 2, client.exists("a", "b", "none")
  same "string", client.type("a")
  same 2, client.unlink("a", "b")
end

check("hashes") do |client|
  same 2, client.hset("h", "f", "1", "g", BINARY)
  same "1", client.hget("h", "f")
  all = client.hgetall("h")
  same %w[f g], all.keys.sort
  same BINARY, all["g"].b
  same ["1", nil], client.hmget("h", "f", "none")
  same 6, client.hincrby("h", "f", 5)
  same %w[f g], client.hscan_each("h").map(&:first).sort
  same 2, client.hdel("h", %w[f g none])
  same false, client.exists?("h")
end

check("scanning") do |client|
  client.pipelined { |pipeline| 1000.times { |i| pipeline.set("scan:#{i}", i) } }
  found = client.scan_each(match: "scan:*", count: 50).to_a.uniq
  same (0...1000).map { |i| "scan:#{i}" }.sort, found.sort
  same 1000, client.del(*found)
end

check("pipelines") do |client|
  replies = client.pipelined do |pipeline|
    pipeline.set("p", 1)
    pipeline.incr("p")
    pipeline.get("p")
    pipeline.del("p")
  end
  same ["OK", 2, "2", 1], replies
  raises("WRONGTYPE") do
    client.pipelined do |pipeline|
      pipeline.set("p", 1)
      pipeline.hget("p", "f")
      pipeline.get("p")
    end
  end
  same 1, client.del("p")
end

check("errors") do |client|
  client.set("e", "text")
  raises("WRONGTYPE") { client.hget("e", "f") }
  raises("unknown command") { client.call("NOSUCH") }
  raises("wrong number of arguments") { client.call("GET") }
  same "PONG", client.ping
  client.del("e")
end

check("computed once") do |client|
  value, ttl, token = client.call("FETCH", "once", "LEASE", 10000, "WAIT", 2000)
  same [nil, nil, 11], [value, ttl, token.size]
  same "OK", client.call("STORE", "once", "v", "EX", 60, "STALE", 300, "LEASE", token)
  same ["v", nil], client.call("FETCH", "once", "LEASE", 10000).values_at(0, 2)
  same nil, client.call("STORE", "once", "old", "LEASE", token)
  same 1, client.del("once")
end

check("server commands") do |client|
  same true, client.info.key?("redis_version")
  same true, client.info("memory")["used_memory"].to_i.positive?
  same true, client.config(:get, "maxmemory").key?("maxmemory")
  same true, client.call("COMMAND", "COUNT") > 50
  client.set("f", 1)
  same 1, client.dbsize
  same "OK", client.flushdb
  same 0, client.dbsize
end

check("other database") do |client|
  other = Redis.new(port: PORT, db: 3)
  other.set("only-there", 1)
  same nil, client.get("only-there")
  other.flushdb
  other.close
end

puts "#{$passed} passed, #{$failed} failed"
exit($failed.zero? ? 0 : 1)
