# SPDX-License-Identifier: Apache-2.0
require_relative 'webrick'
run(lambda do |env|
  i = env['QUERY_STRING'].split('=')[1]
  env['rack.input'].read
  calls(i) if i != '0'
  [200, { 'Content-Type' => 'text/plain' }, [i]]
end)
