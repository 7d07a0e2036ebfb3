# SPDX-License-Identifier: Apache-2.0
# What the Ruby bridge has evaluated when a program first listens (ruby.c). It defines no constant that a
# program would meet by chance, and changes one method of one server.
#
# Puma reads a request in its reactor, on one thread, and handles it on another of its pool. So for the
# time of handle_request the pool's thread says whose work it does: that of the request which is open on
# the client's connection.
#
# With TRACEBATON_ATTRIBUTION=best a thread made by Thread.new carries what its maker did, until it
# takes work from others: by Queue#pop, or woken from a ConditionVariable. (A pool whose threads are made
# by requests, and which take their jobs in another way, would be carried wrongly: hence not by default.)
module ::TracebatonShim
  PUMA = ::Module.new do
    def handle_request(client, *rest)
      former = ::TracebatonShim.enter_client(client)
      begin
        super
      ensure
        ::TracebatonShim.leave(former) if former
      end
    end
  end

  # A client of a kind we do not know is the thread's own business.
  def self.enter_client(client)
    enter(client.to_io.fileno)
  rescue ::StandardError
    nil
  end

  BORN = ::Module.new do
    def initialize(*args, &block)
      context = ::TracebatonShim.capture
      @__tracebaton = context unless context.zero?
      super
    end
    ruby2_keywords(:initialize)
  end

  # Called on a thread that waits for work.
  TAKES = {
    [::Thread::Queue, ::Thread::SizedQueue] => %i[pop shift deq],
    [::Thread::ConditionVariable] => %i[wait]
  }.freeze

  def self.takes(names)
    ::Module.new do
      names.each do |name|
        define_method(name) do |*args, &block|
          ::TracebatonShim.born(0)
          super(*args, &block)
        end
        ruby2_keywords(name)
      end
    end
  end

  def self.threads
    ::Thread.prepend(BORN)
    TAKES.each { |classes, names| classes.each { |c| c.prepend(takes(names)) } }
    ::TracePoint.new(:thread_begin) do
      ::TracebatonShim.born(::Thread.current.instance_variable_get(:@__tracebaton) || 0)
    end.enable
  end

  # Called again until Puma is there: it may be loaded after something has listened.
  def self.attach
    @puma ||= defined?(::Puma::Server) && ::Puma::Server.method_defined?(:handle_request) && ::Puma::Server.prepend(PUMA)
    !!@puma
  end
end
::TracebatonShim.threads if ::TracebatonShim.best
::TracebatonShim.attach
