/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs inside the JVM: jvm.c defines it in java.base, where it reaches the
 * executors' own types. It knows for whom each Java thread works and each task was
 * made; both as handles of batons (baton.h), which may be stale at any time.
 *
 * TracebatonRewriter puts the calls of submitted, run, born ... into the executors.
 * A task belongs to what was current where it was handed over, for the time it runs;
 * what its thread did before is current again afterwards. A task that is handed over
 * a second time before the first has run belongs to nobody if the two differ.
 *
 * A thread that has read a request is current for it as far as native code can show
 * it (jvm.c: claim), and is asked so each time. No lambdas, no string +: their
 * linkage would run much of the JDK here.
 */
package java.util.concurrent;

import java.lang.ref.WeakReference;
import jdk.internal.vm.annotation.Hidden;

public final class Tracebaton {
    static final int NOBODY = 0, TASK = 1, READ = 2, ASIDE = 3;
    private static final int KIND = 24; /* a handle's bits 15 to 31 are free: baton.h */
    private static final long SURE = 1L << KIND + 2;
    private static final Local LOCAL = new Local();
    private static final ConcurrentHashMap<Object, Tag> TAGS = new ConcurrentHashMap<>();
    private static int made, sweep = 256; /* tags since the last sweep, and how many make the next one due */
    private static final Class<?> VIRTUAL = find("java.lang.VirtualThread");
    /** Of JDK 25's pools: runs again and again. */
    private static final Class<?> PERIODIC = find("java.util.concurrent.DelayScheduler$ScheduledForkJoinTask");
    private static volatile boolean whole; /* every edit is in place */
    private static Object http;            /* the module of java.net.http */

    private Tracebaton() {}

    /** A thread's. */
    static final class State {
        Thread owner;
        long now;         /* a handle */
        int kind;         /* ... and why it is current */
        boolean sure;     /* a READ that needs no proof but the stack's */
        int scopes;       /* tasks that are running, one within the other */
        long next;        /* the task's whose body comes next */
        boolean virtual, loop;
        int connection, aside;
        Object request, lines; /* TracebatonClient's */

        void settle() {
            owner = Thread.currentThread();
            virtual = owner.getClass() == VIRTUAL;
            if (!virtual) /* a pool's thread may be born inside a request */
                kind = NOBODY;
        }

        void become(long handle) {
            now = handle;
            kind = handle == 0 ? NOBODY : TASK;
            sure = false;
        }

        void enter(long handle) {
            scopes++;
            become(handle);
        }

        void leave(long before, int why, boolean certain) {
            scopes--;
            now = before;
            kind = why;
            sure = certain;
        }
    }

    /** Virtual threads work for whom they were made, others do not. */
    private static final class Local extends InheritableThreadLocal<State> {
        @Override
        protected State initialValue() {
            return new State();
        }

        @Override
        protected State childValue(State parent) {
            State s = new State();
            if (parent != null && whole && VIRTUAL != null)
                s.become(held());
            return s;
        }
    }

    /** A task's. */
    private static final class Tag extends WeakReference<Object> {
        final int hash;
        long handle;
        int pending; /* how often it was handed over and has not run; 0: taken out */

        Tag(Object task, long h) {
            super(task);
            hash = System.identityHashCode(task);
            handle = h;
            pending = 1;
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(Object o) {
            if (o == this)
                return true;
            Object mine = get();
            return mine != null && o instanceof Tag && ((Tag) o).get() == mine;
        }
    }

    private static final class Probe {
        final Object task;

        Probe(Object t) {
            task = t;
        }

        @Override
        public int hashCode() {
            return System.identityHashCode(task);
        }

        @Override
        public boolean equals(Object o) {
            return o instanceof Tag && ((Tag) o).get() == task;
        }
    }

    /* --- the library ---------------------------------------------------------------------- */

    /** The handle of what the calling thread has read, where that is certain. */
    private static native long claim();
    /** The lines for a request head to that port. */
    private static native byte[] lines(long handle, byte[] head, int port, boolean elsewhere);

    static ClassLoader loader() {
        return ClassLoader.getPlatformClassLoader();
    }

    /** The classes to be rewritten; none: threads only. */
    static Class<?>[] targets() {
        if ("threads".equals(System.getProperty("tracebaton.jvm")))
            return new Class<?>[0];
        Class<?>[] all = new Class<?>[TracebatonRewriter.NAMES.length];
        int n = 0;
        for (String name : TracebatonRewriter.NAMES) {
            Class<?> c = find(name);
            if (c != null)
                all[n++] = c;
            if (c != null && name.startsWith("jdk"))
                http = c.getModule();
        }
        Class<?>[] some = new Class<?>[n];
        System.arraycopy(all, 0, some, 0, n);
        return some;
    }

    static byte[] rewrite(byte[] bytes) {
        try {
            return new TracebatonRewriter(bytes).rewrite();
        } catch (Throwable e) {
            return null;
        }
    }

    /** How many were rewritten, of how many. */
    static void rewritten(int n, int of) {
        whole = n == of;
    }

    /** A task of a pool that reads a request with a blocking read serves it, until it ends or reads another. So does
     *  a virtual thread, unless it serves several connections. */
    static void opened(long handle, int fd, boolean blocks) {
        State s = state();
        if (s.virtual && s.connection != 0 && s.connection != fd + 1)
            s.loop = true;
        s.connection = fd + 1;
        s.now = handle;
        /* Without the edits the HTTP client may write another's request here. */
        s.kind = s.virtual && (s.loop || !whole) ? NOBODY : READ;
        s.sure = s.virtual || blocks && s.scopes > 0;
    }

    /** A handle with its kind. */
    static long current() {
        State s = state();
        if (s.aside > 0)
            return (long) ASIDE << KIND;
        if (s.kind == NOBODY)
            return 0;
        return s.now | (long) s.kind << KIND | (s.sure ? SURE : 0);
    }

    /* --- threads -------------------------------------------------------------------------- */

    private static Class<?> find(String name) {
        try {
            return Class.forName(name, false, ClassLoader.getPlatformClassLoader());
        } catch (Throwable e) {
            return null;
        }
    }

    private static State state() {
        State s = LOCAL.get();
        if (s.owner == null)
            s.settle();
        return s;
    }

    /** What a task that is made now belongs to; 0: nobody. */
    private static long held() {
        State s = state();
        return s.kind == TASK ? s.now : s.kind == READ ? claim() : 0;
    }

    /* --- tasks ---------------------------------------------------------------------------- */

    /* Tags whose task is gone are looked for when there may be as many of them as of others. No queue of
     * references tells of them: it has a lock (JDK 19 to 23), and virtual threads wait for that in places where
     * they must not, in the middle of being scheduled. The two numbers need not be exact. */
    private static void expunge() {
        if (++made < sweep)
            return;
        made = 0;
        for (Tag t : TAGS.values())
            if (t.get() == null)
                TAGS.remove(t);
        sweep = Math.max(256, TAGS.size());
    }

    /** A pool is given a task. What was constructed for somebody stays theirs. */
    public static void submitted(Runnable task) {
        if (task == null || !whole || task instanceof ForkJoinTask || task.getClass().getModule() == http)
            return;
        expunge();
        long h = held();
        Tag mine = null;
        for (;;) {
            Tag t = TAGS.get(new Probe(task));
            if (t == null) {
                if (mine == null)
                    mine = new Tag(task, h);
                t = TAGS.putIfAbsent(mine, mine);
                if (t == null)
                    return;
            }
            synchronized (t) {
                if (t.pending > 0) {
                    if (t.handle != h)
                        t.handle = 0; /* nobody can tell which of them runs first */
                    t.pending++;
                    return;
                }
            }
        }
    }

    /** One that runs again and again is no single request's. */
    public static void scheduled(RunnableScheduledFuture<?> task) {
        if (task != null && !task.isPeriodic())
            submitted(task);
    }

    /** A task that is to be used again. */
    public static void renewed(ForkJoinTask<?> task) {
        TAGS.remove(new Probe(task));
        born(task);
    }

    /** A task that is constructed for one use. */
    public static void born(ForkJoinTask<?> task) {
        if (!whole)
            return;
        long h = held();
        if (h == 0)
            return;
        expunge();
        Tag t = new Tag(task, h);
        TAGS.put(t, t);
    }

    private static long take(Object task) {
        Tag t = TAGS.get(new Probe(task));
        if (t == null)
            return 0;
        if (task instanceof ForkJoinTask && task.getClass() != PERIODIC) /* may be tried, or forked, again */
            return t.handle;
        synchronized (t) {
            if (t.pending <= 0)
                return 0;
            if (--t.pending == 0)
                TAGS.remove(t);
            return t.handle;
        }
    }

    @Hidden
    public static void run(Runnable task) {
        State s = state();
        long now = s.now;
        int kind = s.kind;
        boolean sure = s.sure;
        s.enter(take(task));
        try {
            task.run();
        } finally {
            s.leave(now, kind, sure);
        }
    }

    @Hidden
    public static boolean exec(ForkJoinTask<?> task) {
        State s = state();
        long now = s.now;
        int kind = s.kind;
        boolean sure = s.sure;
        s.enter(take(task));
        try {
            return task.exec();
        } finally {
            s.leave(now, kind, sure);
        }
    }

    @Hidden
    static CompletableFuture<?> tryFire(CompletableFuture.Completion task, int mode) {
        State s = state();
        long now = s.now;
        int kind = s.kind;
        boolean sure = s.sure;
        s.enter(take(task));
        try {
            return task.tryFire(mode);
        } finally {
            s.leave(now, kind, sure);
        }
    }

    /** Tasks that a thread of their own or a foreign pool runs: what they call belongs to them. */
    public static void begin(ForkJoinTask<?> task) {
        state().next = take(task);
    }

    @Hidden
    public static void then(Runnable body) {
        State s = state();
        long now = s.now;
        int kind = s.kind;
        boolean sure = s.sure;
        s.enter(next(s));
        try {
            body.run();
        } finally {
            s.leave(now, kind, sure);
        }
    }

    @Hidden
    public static Object then(java.util.function.Supplier<?> body) {
        State s = state();
        long now = s.now;
        int kind = s.kind;
        boolean sure = s.sure;
        s.enter(next(s));
        try {
            return body.get();
        } finally {
            s.leave(now, kind, sure);
        }
    }

    /** The task whose body this is. */
    private static long next(State s) {
        long h = s.next;
        s.next = 0;
        return h != 0 ? h : s.kind == TASK ? s.now : 0;
    }

    /* --- TracebatonClient's --------------------------------------------------------------- */

    /** The lines for a request that is made now; null: none. */
    public static byte[] compose(byte[] head, int port, boolean elsewhere) {
        long h = whole ? held() : 0;
        return h == 0 ? null : lines(h, head, port, elsewhere);
    }

    public static boolean works() {
        return whole && state().kind != NOBODY;
    }

    /** What the thread's next request object is to be given; null: nothing. */
    public static void promise(Object request, Object lines) {
        State s = state();
        s.request = lines == null ? null : request;
        s.lines = lines;
    }

    public static Object promised(Object request) {
        State s = state();
        Object lines = s.request == request ? s.lines : null;
        s.request = s.lines = null;
        return lines;
    }

    /** Bytes leave in whose name nobody knows: they have their lines. */
    public static void aside(int step) {
        state().aside += step;
    }
}
