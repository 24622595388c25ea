# redis-rb over TLS, as a user with few permissions. LARDER_TLS_AUTH: whether clients need a certificate.
require "openssl"
require "redis"

FOLDER = ENV.fetch("LARDER_CERTIFICATES")
PORT = ENV.fetch("LARDER_TLS_PORT")
NEEDED = ENV.fetch("LARDER_TLS_AUTH") == "yes"
BINARY = ((0..255).map(&:chr).join.b * 300).freeze
CERTIFICATE = {
  cert: OpenSSL::X509::Certificate.new(File.read("#{FOLDER}/client.crt")),
  key: OpenSSL::PKey.read(File.read("#{FOLDER}/client.key"))
}.freeze
$passed = 0
$failed = 0

def connect(authority: "ca", certificate: true, password: "secret")
  ssl = { ca_file: "#{FOLDER}/#{authority}.crt" }
  ssl.merge!(CERTIFICATE) if certificate
  Redis.new(url: "rediss://127.0.0.1:#{PORT}", ssl_params: ssl, username: "shop", password: password,
            reconnect_attempts: 0)
end

def check(name)
  yield
  $passed += 1
rescue StandardError => problem
  $failed += 1
  puts "FAILED #{name}: #{problem.class}: #{problem.message} (#{problem.backtrace.first})"
end

def same(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

def raises(kind, words)
  yield
rescue kind => problem
  raise "another error: #{problem.message}" unless problem.message.include?(words)
else
  raise "no error"
end

check("works") do
  client = connect
  same "shop", client.call("ACL", "WHOAMI")
  same "OK", client.set("shop:binary", BINARY)
  same true, client.get("shop:binary").b == BINARY
  replies = client.multi do |transaction|
    transaction.set("shop:n", 1)
    transaction.incrby("shop:n", 41)
    transaction.del("shop:n", "shop:binary")
  end
  same ["OK", 42, 2], replies
  client.close
end

check("is restricted") do
  client = connect
  raises(Redis::CommandError, "NOPERM") { client.get("other") }
  raises(Redis::CommandError, "NOPERM") { client.flushall }
  raises(Redis::CommandError, "NOPERM") { client.publish("other", "x") }
  same "PONG", client.ping
  client.close
  raises(Redis::CommandError, "WRONGPASS") { connect(password: "wrong").ping }
end

check("certificate of the client") do
  if NEEDED
    # In TLS 1.3 the refusal may come with the first reply.
    begin
      connect(certificate: false).ping
    rescue Redis::BaseConnectionError, OpenSSL::SSL::SSLError
      nil
    else
      raise "no error"
    end
  else
    same "PONG", connect(certificate: false).ping
  end
end

check("certificate of the server") do
  raises(OpenSSL::SSL::SSLError, "certificate verify failed") { connect(authority: "stranger").ping }
end

puts "#{$passed} passed, #{$failed} failed"
exit($failed.zero? ? 0 : 1)
