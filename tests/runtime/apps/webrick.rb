# SPDX-License-Identifier: Apache-2.0
require 'webrick' if $PROGRAM_NAME == __FILE__
require 'net/http'
HOST, PORT = ENV['UPSTREAM'].split(':')
DECOY = format("GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n", 0xdec0)

def calls(i)
  Net::HTTP.get(HOST, "/?id=#{i}&leg=a", PORT.to_i)
  Net::HTTP.start(HOST, PORT.to_i) do |http|
    http.post("/?id=#{i}&leg=b", DECOY * 20 + i, 'Content-Type' => 'text/plain')
    sleep 0.002
    http.get("/?id=#{i}&leg=c")
    http.get("/?id=#{i}&leg=d")
  end
end

if $PROGRAM_NAME == __FILE__
  server = WEBrick::HTTPServer.new(Port: ARGV[0].to_i, BindAddress: '127.0.0.1', AccessLog: [],
                                   Logger: WEBrick::Log.new($stderr, WEBrick::Log::ERROR))
  server.mount_proc('/') do |req, res|
    i = req.query_string.split('=')[1]
    req.body if req.request_method == 'POST'
    calls(i) if i != '0'
    res['Content-Type'] = 'text/plain'
    res.body = i
  end
  trap('TERM') { server.shutdown }
  server.start
end
