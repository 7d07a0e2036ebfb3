# SPDX-License-Identifier: Apache-2.0
# One hop with Net::HTTP, a kept connection for each thread.
require 'net/http'
HOST, PORT = ENV['UPSTREAM'].split(':')
run(lambda do |_env|
  http = Thread.current[:http] ||= Net::HTTP.start(HOST, PORT.to_i)
  [200, { 'Content-Type' => 'text/plain' }, [http.get('/x').body]]
end)
