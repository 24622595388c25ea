<?php
// phpredis with its default settings: what a cache's user does with it.
$port = (int) getenv('LARDER_PORT');
$passed = 0;
$failed = 0;
$binary = '';
for ($i = 0; $i < 256; $i++) {
    $binary .= chr($i);
}
$binary .= "\r\n$-1\r\n\0";

function connect(): Redis
{
    global $port;
    $client = new Redis();
    $client->connect('127.0.0.1', $port);
    return $client;
}

function check(string $name, callable $test): void
{
    global $passed, $failed;
    try {
        $client = connect();
        $test($client);
        $client->close();
        $passed++;
    } catch (Throwable $problem) {
        $failed++;
        echo "FAILED $name: ", get_class($problem), ': ', $problem->getMessage(),
            ' (line ', $problem->getLine(), ")\n";
    }
}

function same($expected, $actual): void
{
    if ($expected !== $actual) {
        throw new Exception('expected ' . var_export($expected, true) .
            ', got ' . var_export($actual, true) .
            ' at line ' . debug_backtrace()[0]['line']);
    }
}

// phpredis returns false for an error and keeps its text.
function fails(Redis $client, string $words, $result): void
{
    same(false, $result);
    $error = (string) $client->getLastError();
    if (strpos($error, $words) === false) {
        throw new Exception("another error: $error");
    }
    $client->clearLastError();
}

check('connects', function (Redis $client) {
    same(true, $client->ping());
    same('text', $client->echo('text'));
});

check('strings', function (Redis $client) {
    same(true, $client->set('s', 'value'));
    same('value', $client->get('s'));
    same(false, $client->set('s', 'x', ['nx']));
    same(false, $client->setnx('s', 'x'));
    same('value', $client->getSet('s', 'new'));
    same(4, $client->append('s', '!'));
    same(4, $client->strlen('s'));
    same('ne', $client->getRange('s', 0, 1));
    same(1, $client->del('s'));
    same(false, $client->get('s'));
});

check('binary values', function (Redis $client) use ($binary) {
    same(true, $client->set($binary, $binary));
    same($binary, $client->get($binary));
    same(1, $client->del($binary));
    $big = random_bytes(2 * 1024 * 1024);
    $client->set('big', $big);
    same(true, $client->get('big') === $big);
    same(1, $client->del('big'));
});

check('deadlines', function (Redis $client) {
    same(true, $client->set('d', '1', ['ex' => 100]));
    same(true, $client->ttl('d') >= 99 && $client->ttl('d') <= 100);
    same(true, $client->expire('d', 50));
    same(true, $client->pttl('d') > 49000 && $client->pttl('d') <= 50000);
    same(true, $client->persist('d'));
    same(-1, $client->ttl('d'));
    same(true, $client->setex('d', 10, 'v'));
    same(true, $client->psetex('d', 20, 'v'));
    $end = microtime(true) + 20;
    while ($client->exists('d') === 1) {
        if (microtime(true) > $end) {
            throw new Exception('the key never expires');
        }
    }
    same(false, $client->get('d'));
});

check('counters', function (Redis $client) {
    same(1, $client->incr('n'));
    same(42, $client->incrBy('n', 41));
    same(41, $client->decr('n'));
    same(41.5, $client->incrByFloat('n', 0.5));
    fails($client, 'not an integer', $client->incr('n'));
    $client->del('n');
});

check('several keys', function (Redis $client) {
    same(true, $client->mset(['a' => '1', 'b' => '2']));
    same(['1', false, '2'], $client->mget(['a', 'none', 'b']));
    same(2, $client->exists('a', 'b', 'none'));
    same(Redis::REDIS_STRING, $client->type('a'));
    same(2, $client->unlink('a', 'b'));
});

check('hashes', function (Redis $client) use ($binary) {
    same(1, $client->hSet('h', 'f', '1'));
    same(true, $client->hMSet('h', ['f' => '2', 'g' => $binary]));
    same('2', $client->hGet('h', 'f'));
    $all = $client->hGetAll('h');
    ksort($all);
    same(['f' => '2', 'g' => $binary], $all);
    same(['f' => '2', 'none' => false], $client->hMGet('h', ['f', 'none']));
    same(7, $client->hIncrBy('h', 'f', 5));
    same(2, $client->hLen('h'));
    same(Redis::REDIS_HASH, $client->type('h'));
    same(2, $client->hDel('h', 'f', 'g', 'none'));
    same(0, $client->exists('h'));
});

check('scanning', function (Redis $client) {
    $client->multi(Redis::PIPELINE);
    for ($i = 0; $i < 1000; $i++) {
        $client->set("scan:$i", (string) $i);
    }
    same(1000, count(array_filter($client->exec())));
    $client->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $found = [];
    $cursor = null;
    while (($keys = $client->scan($cursor, 'scan:*', 50)) !== false) {
        foreach ($keys as $key) {
            $found[$key] = true;
        }
    }
    same(1000, count($found));
    same(1000, $client->del(array_keys($found)));
});

check('pipelines', function (Redis $client) {
    $replies = $client->pipeline()->set('p', '1')->incr('p')->hGet('p', 'f')->get('p')->del('p')
        ->exec();
    same([true, 2, false, '2', 1], $replies);
});

check('errors', function (Redis $client) {
    $client->set('e', 'text');
    fails($client, 'WRONGTYPE', $client->hGet('e', 'f'));
    fails($client, 'unknown command', $client->rawCommand('NOSUCH'));
    fails($client, 'wrong number of arguments', $client->rawCommand('GET'));
    same(true, $client->ping());
    $client->del('e');
});

check('computed once', function (Redis $client) {
    [$value, $ttl, $token] = $client->rawCommand('FETCH', 'once', 'LEASE', 10000, 'WAIT', 2000);
    same(11, strlen($token));
    same(true, $client->rawCommand('STORE', 'once', 'v', 'EX', 60, 'STALE', 300, 'LEASE', $token));
    same('v', $client->rawCommand('FETCH', 'once', 'LEASE', 10000)[0]);
    same(false, $client->rawCommand('STORE', 'once', 'old', 'LEASE', $token));
    same(1, $client->del('once'));
});

check('server commands', function (Redis $client) {
    same(true, isset($client->info()['redis_version']));
    same(true, isset($client->config('GET', 'maxmemory')['maxmemory']));
    same(true, $client->rawCommand('COMMAND', 'COUNT') > 50);
    same(true, $client->client('setname', 'php'));
    same('php', $client->client('getname'));
    $client->set('f', '1');
    same(1, $client->dbSize());
    same(true, $client->flushDB());
    same(0, $client->dbSize());
});

check('serialised values', function (Redis $client) {
    $client->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
    $client->setOption(Redis::OPT_PREFIX, 'app:');
    same(true, $client->set('v', ['a' => 1, 'b' => [true, null]]));
    same(['a' => 1, 'b' => [true, null]], $client->get('v'));
    $client->setOption(Redis::OPT_PREFIX, '');
    same(1, $client->del('app:v'));
});

check('other database', function (Redis $client) {
    $other = connect();
    same(true, $other->select(3));
    $other->set('only-there', '1');
    same(false, $client->get('only-there'));
    same(true, $other->flushDB());
});

echo "$passed passed, $failed failed\n";
exit($failed === 0 ? 0 : 1);
