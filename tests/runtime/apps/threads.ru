# SPDX-License-Identifier: Apache-2.0
# Calls that leave from other threads: one thread a call, or (POOL) threads of a pool, each made by the
# request that first wanted one.
require 'net/http'
UP = ENV['UPSTREAM']
JOBS = Queue.new
LOCK = Mutex.new
WORKERS = []

def fetch(i, leg)
  Net::HTTP.get(URI("http://#{UP}/?id=#{i}&leg=#{leg}"))
end

def worker
  Thread.new do
    while (job = JOBS.pop)
      fetch(job[0], job[1])
      job[2] << true
    end
  end
end

def submit(i, leg)
  done = Queue.new
  JOBS << [i, leg, done]
  LOCK.synchronize { WORKERS << worker if WORKERS.size < 6 }
  done
end

run(lambda do |env|
  i = env['QUERY_STRING'].split('=')[1]
  env['rack.input'].read
  if i != '0'
    if ENV['POOL']
      %w[a c d].map { |leg| submit(i, leg) }.each(&:pop)
    else
      %w[a c d].map { |leg| Thread.new { fetch(i, leg) } }.each(&:join)
    end
  end
  [200, { 'Content-Type' => 'text/plain' }, [i]]
end)
