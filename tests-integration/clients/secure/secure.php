<?php
// phpredis over TLS, as a user with few permissions. LARDER_TLS_AUTH: whether clients need a certificate.
$folder = getenv('LARDER_CERTIFICATES');
$needed = getenv('LARDER_TLS_AUTH') === 'yes';
$passed = 0;
$failed = 0;
$binary = '';
for ($i = 0; $i < 256 * 300; $i++) {
    $binary .= chr($i % 256);
}

function connect(string $authority = 'ca', bool $certificate = true, string $password = 'secret'): Redis
{
    global $folder;
    $stream = ['cafile' => "$folder/$authority.crt", 'verify_peer' => true, 'peer_name' => '127.0.0.1'];
    if ($certificate) {
        $stream += ['local_cert' => "$folder/client.crt", 'local_pk' => "$folder/client.key"];
    }
    $client = new Redis();
    // What a refused handshake warns of is told by the exception, too.
    @$client->connect('tls://127.0.0.1', (int) getenv('LARDER_TLS_PORT'), 20, null, 0, 20,
        ['stream' => $stream]);
    $client->auth(['shop', $password]);
    return $client;
}

function check(string $name, callable $test): void
{
    global $passed, $failed;
    try {
        $test();
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
        throw new Exception('expected ' . substr(var_export($expected, true), 0, 80) .
            ', got ' . substr(var_export($actual, true), 0, 80));
    }
}

function raises(string $words, callable $call): void
{
    try {
        $call();
    } catch (RedisException $problem) {
        if (strpos($problem->getMessage(), $words) === false) {
            throw new Exception('another error: ' . $problem->getMessage());
        }
        return;
    }
    throw new Exception('no error');
}

check('works', function () {
    global $binary;
    $client = connect();
    same('shop', $client->rawCommand('ACL', 'WHOAMI'));
    same(true, $client->set('shop:binary', $binary));
    same(true, $client->get('shop:binary') === $binary);
    $replies = $client->multi()->set('shop:n', 1)->incrBy('shop:n', 41)
        ->del('shop:n', 'shop:binary')->exec();
    same([true, 42, 2], $replies);
    $client->close();
});

check('is restricted', function () {
    $client = connect();
    raises('NOPERM', fn() => $client->get('other'));
    raises('NOPERM', fn() => $client->flushAll());
    raises('NOPERM', fn() => $client->publish('other', 'x'));
    same(true, $client->ping());
    $client->close();
    raises('WRONGPASS', fn() => connect('ca', true, 'wrong'));
});

check('certificate of the client', function () {
    global $needed;
    $call = fn() => same(true, @connect('ca', false)->ping());
    if ($needed) {
        raises('', $call);
    } else {
        $call();
    }
});

check('certificate of the server', function () {
    raises('', fn() => @connect('stranger'));
});

echo "$passed passed, $failed failed\n";
exit($failed === 0 ? 0 : 1);
