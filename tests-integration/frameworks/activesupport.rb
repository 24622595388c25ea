# Rails' cache in redis-activesupport: what a Rails application does with its cache.
require "active_support"
require "active_support/cache"
require "redis-activesupport"

Redis.silence_deprecations = true

$passed = 0
$failed = 0
PORT = ENV.fetch("LARDER_PORT").to_i

def check(name)
  yield
  $passed += 1
rescue StandardError => problem
  $failed += 1
  puts "FAILED #{name}: #{problem.class}: #{problem.message} (#{problem.backtrace.first(3)})"
end

def same(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

cache = ActiveSupport::Cache.lookup_store(:redis_store, "redis://127.0.0.1:#{PORT}/2/rails",
                                          expires_in: 90)

check("values are fetched once") do
  calls = 0
  2.times { same [1, "two"], cache.fetch("key") { calls += 1; [1, "two"] } }
  same 1, calls
  same true, cache.exist?("key")
  same true, cache.delete("key") == 1 || !cache.exist?("key")
end

check("nothing is written twice") do
  cache.write("once", "first", unless_exist: true)
  cache.write("once", "second", unless_exist: true)
  same "first", cache.read("once")
end

check("many at once") do
  cache.write_multi("a" => 1, "b" => 2)
  same({ "a" => 1, "b" => 2 }, cache.read_multi("a", "b", "none"))
  same({ "a" => 1, "c" => "c!" }, cache.fetch_multi("a", "c") { |name| "#{name}!" })
end

check("counters count") do
  cache.write("n", 0, raw: true)
  same 5, cache.increment("n", 5)
  same 3, cache.decrement("n", 2)
end

check("values expire") do
  cache.write("short", "value", expires_in: 1)
  last = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
  while cache.read("short")
    raise "it never expires" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > last
  end
end

check("what matches is deleted") do
  20.times { |i| cache.write("user:#{i}", i) }
  cache.write("other", 1)
  cache.delete_matched("user:*")
  same nil, cache.read("user:7")
  same 1, cache.read("other")
end

check("all is cleared") do
  cache.clear
  same nil, cache.read("other")
end

puts "#{$passed} passed, #{$failed} failed"
exit($failed.zero?)
