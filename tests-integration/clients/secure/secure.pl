# Perl's Redis over TLS, as a user with few permissions. LARDER_TLS_AUTH: whether clients need a certificate.
use strict;
use warnings;
use IO::Socket::SSL;
use Redis;

my $folder = $ENV{LARDER_CERTIFICATES};
my $needed = $ENV{LARDER_TLS_AUTH} eq 'yes';
my $binary = join('', map { chr } 0 .. 255) x 300;
my ($passed, $failed) = (0, 0);
# A refused client writes into a socket that is closed.
$SIG{PIPE} = 'IGNORE';

sub connect_with {
    my %wish = (authority => 'ca', certificate => 1, password => 'secret', @_);
    # The library verifies, and shows a certificate, by what the process has set.
    IO::Socket::SSL::set_defaults(
        SSL_ca_file => "$folder/$wish{authority}.crt",
        SSL_cert_file => $wish{certificate} ? "$folder/client.crt" : undef,
        SSL_key_file => $wish{certificate} ? "$folder/client.key" : undef);
    my $client = Redis->new(server => "127.0.0.1:$ENV{LARDER_TLS_PORT}", ssl => 1,
        SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_PEER(), no_auto_connect_on_new => 1);
    $client->connect;
    $client->auth('shop', $wish{password});
    return $client;
}

sub check {
    my ($name, $test) = @_;
    if (eval { $test->(); 1 }) {
        $passed++;
    } else {
        $failed++;
        print "FAILED $name: $@\n";
    }
}

sub same {
    my ($expected, $actual) = @_;
    $expected eq $actual or die 'expected ' . substr($expected, 0, 80) . ', got ' . substr($actual, 0, 80);
}

sub raises {
    my ($words, $call) = @_;
    die 'no error' if eval { $call->(); 1 };
    $@ =~ /$words/ or die "another error: $@";
}

check 'works', sub {
    my $client = connect_with();
    same 'shop', $client->acl('WHOAMI');
    same 'OK', $client->set('shop:binary', $binary);
    same $binary, $client->get('shop:binary');
    $client->multi;
    $client->set('shop:n', 1);
    $client->incrby('shop:n', 41);
    $client->del('shop:n', 'shop:binary');
    same 'OK 42 2', join(' ', $client->exec);
    $client->quit;
};

check 'is restricted', sub {
    my $client = connect_with();
    raises 'NOPERM', sub { $client->get('other') };
    raises 'NOPERM', sub { $client->flushall };
    raises 'NOPERM', sub { $client->publish('other', 'x') };
    same 'PONG', $client->ping;
    $client->quit;
    raises 'WRONGPASS', sub { connect_with(password => 'wrong') };
};

check 'certificate of the client', sub {
    my $call = sub { same 'PONG', connect_with(certificate => 0)->ping };
    $needed ? raises('', $call) : $call->();
};

check 'certificate of the server', sub {
    raises 'Could not connect', sub { connect_with(authority => 'stranger') };
    $IO::Socket::SSL::SSL_ERROR =~ /certificate verify failed/ or die $IO::Socket::SSL::SSL_ERROR;
};

print "$passed passed, $failed failed\n";
exit($failed ? 1 : 0);
