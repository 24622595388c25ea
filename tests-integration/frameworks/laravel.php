<?php
/* Laravel's cache and Redis facade, with Predis as its client: values, tags, lists, sets, sorted sets,
 * transactions and pipelines. */
require 'Illuminate/Cache/autoload.php';
require 'Illuminate/Redis/autoload.php';
require 'Predis/autoload.php';

$passed = 0;
$failed = 0;

function check(string $name, callable $body): void
{
    global $passed, $failed;
    try {
        $body();
        $passed++;
    } catch (Throwable $problem) {
        $failed++;
        echo "FAILED $name: ", get_class($problem), ': ', $problem->getMessage(), ' (line ',
            $problem->getLine(), ")\n";
    }
}

function same($expected, $actual): void
{
    if ($expected !== $actual) {
        throw new Exception('expected ' . var_export($expected, true) . ', got ' .
            var_export($actual, true));
    }
}

$server = ['host' => '127.0.0.1', 'port' => (int)getenv('LARDER_PORT'), 'database' => 3];
$manager = new Illuminate\Redis\RedisManager(null, 'predis', ['default' => $server]);
$cache = new Illuminate\Cache\Repository(new Illuminate\Cache\RedisStore($manager, 'laravel'));
$redis = $manager->connection();

check('values are kept', function () use ($cache) {
    same(true, $cache->put('a', ['x' => 1], 60));
    same(['x' => 1], $cache->get('a'));
    same('default', $cache->get('none', 'default'));
    same(true, $cache->has('a'));
    same(['x' => 1], $cache->pull('a'));
    same(false, $cache->has('a'));
});

check('values are made once', function () use ($cache) {
    $calls = 0;
    $make = function () use (&$calls) {
        $calls++;
        return 'made';
    };
    same('made', $cache->remember('made', 60, $make));
    same('made', $cache->remember('made', 60, $make));
    same('made', $cache->rememberForever('made', $make));
    same(1, $calls);
});

check('many at once', function () use ($cache) {
    same(true, $cache->putMany(['m1' => 'one', 'm2' => 2], 60));
    same(['m1' => 'one', 'm2' => '2', 'm3' => null], array_map(
        fn($value) => is_int($value) ? (string)$value : $value, $cache->many(['m1', 'm2', 'm3'])));
});

check('counters count', function () use ($cache) {
    $cache->forever('n', 1);
    same(11, $cache->increment('n', 10));
    same(9, $cache->decrement('n', 2));
});

check('tags', function () use ($cache) {
    $cache->tags(['people', 'artists'])->put('john', 'John', 60);
    $cache->tags(['people'])->put('anne', 'Anne', 60);
    same('John', $cache->tags(['people', 'artists'])->get('john'));
    $cache->tags('artists')->flush();
    same(null, $cache->tags(['people', 'artists'])->get('john'));
    same('Anne', $cache->tags(['people'])->get('anne'));
});

check('all is flushed', function () use ($cache) {
    same(true, $cache->flush());
    same(null, $cache->get('n'));
});

check('lists', function () use ($redis) {
    same(3, $redis->rpush('list', 'a', 'b', 'c'));
    same(['a', 'b', 'c'], $redis->lrange('list', 0, -1));
    same('a', $redis->lpop('list'));
    same(['list', 'c'], $redis->brpop('list', 1));
    same(null, $redis->blpop('list', 'nothing', 1) === ['list', 'b'] ? null : 'something else');
});

check('sets and sorted sets', function () use ($redis) {
    same(2, $redis->sadd('set', 'x', 'y'));
    same(true, (bool)$redis->sismember('set', 'x'));
    same(2, $redis->zadd('scores', ['anne' => 2, 'john' => 1.5]));
    same(['john' => '1.5', 'anne' => '2'],
        $redis->zrange('scores', 0, -1, ['withscores' => true]));
});

check('transactions and pipelines', function () use ($redis) {
    $replies = $redis->transaction(function ($transaction) {
        $transaction->set('t', 1);
        $transaction->incr('t');
        $transaction->get('t');
    });
    same(['OK', 2, '2'], array_map(fn($reply) => is_object($reply) ? (string)$reply : $reply,
        $replies));
    $replies = $redis->pipeline(function ($pipe) {
        for ($i = 0; $i < 100; $i++) {
            $pipe->incr('p');
        }
    });
    same(range(1, 100), $replies);
});

echo "$passed passed, $failed failed\n";
exit($failed > 0 ? 1 : 0);
