# Sidekiq: jobs, retries, scheduled jobs, dead jobs, several jobs at once. Argument: the port. Runs the jobs in a process of
# the program `sidekiq`, and exits with 0 if every job ends as it should.
require "sidekiq"
require "sidekiq/api"

URL = ENV["REDIS_URL"] ||= "redis://127.0.0.1:#{ARGV[0]}/0"
WAIT_SECONDS = 60

# The scheduler looks each second, so that the test need not wait for long.
Sidekiq.configure_server { |config| config.options[:poll_interval_average] = 1 }

class Add
  include Sidekiq::Worker
  def perform(name, x, y)
    Sidekiq.redis { |connection| connection.hset("results", name, x + y) }
  end
end

class FailsOnce
  include Sidekiq::Worker
  sidekiq_retry_in { 1 }
  def perform(name)
    Sidekiq.redis do |connection|
      raise "not yet" if connection.incr("attempts") == 1
      connection.hset("results", name, "retried")
    end
  end
end

class Fails
  include Sidekiq::Worker
  sidekiq_options retry: 0
  def perform = raise("never")
end

def same(actual, expected)
  raise "#{actual.inspect} is not #{expected.inspect}" unless actual == expected
end

if $PROGRAM_NAME == __FILE__
  worker = spawn("sidekiq", "-q", "default", "-c", "4", "-r", File.expand_path(__FILE__), out: File::NULL, err: File::NULL)
  begin
    Add.perform_async("now", 2, 3)
    Add.perform_in(1, "later", 4, 5)
    far = Add.perform_in(3600, "much later", 1, 1)
    FailsOnce.perform_async("after a failure")
    dead = Fails.perform_async
    Sidekiq::Client.push_bulk("class" => Add, "args" => (1..20).map { |i| ["bulk #{i}", i, i] })
    expected = { "now" => "5", "later" => "9", "after a failure" => "retried" }
    (1..20).each { |i| expected["bulk #{i}"] = (2 * i).to_s }
    results = nil
    WAIT_SECONDS.times do
      results = Sidekiq.redis { |connection| connection.hgetall("results") }
      break if results == expected && Sidekiq::DeadSet.new.size == 1
      sleep 1
    end
    same(results, expected)
    same(Sidekiq::DeadSet.new.map(&:jid), [dead])
    same(Sidekiq::ScheduledSet.new.map(&:jid), [far])
    same(Sidekiq::RetrySet.new.size, 0)
    same(Sidekiq::Queue.new.size, 0)
  ensure
    Process.kill("TERM", worker)
    same(Process.wait2(worker)[1].exitstatus, 0)
  end
  same(Sidekiq::ProcessSet.new(false).size, 0)
end
