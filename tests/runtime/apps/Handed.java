// SPDX-License-Identifier: Apache-2.0
// The work of a request is handed over in every way that java.util.concurrent knows; for Java 11 and later.
// java Handed PORT HANDLERS LEGS...: HANDLERS platform|virtual (com.sun HttpServer), sockets (a thread of a pool for
// each connection), LEGS of those below. After each answer a detached task makes one more call (bg). A ticker calls
// out for nobody all the time.
import com.sun.net.httpserver.*;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Handed {
    static final String UP = System.getenv("UPSTREAM");
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    static final ExecutorService POOL = Executors.newFixedThreadPool(16);
    static final ExecutorService FEW = Executors.newFixedThreadPool(2);
    static final ForkJoinPool FORK = new ForkJoinPool(4);
    static final ScheduledExecutorService TIMER = Executors.newScheduledThreadPool(4);
    static final ThreadPoolExecutor GATED = new ThreadPoolExecutor(1, 1, 1, TimeUnit.DAYS, new LinkedBlockingQueue<>());
    static final CompletableFuture<Void> SHARED = new CompletableFuture<>();

    static ExecutorService virtual() throws Exception {
        return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }

    static String url(String i, String leg) {
        return "http://" + UP + "/?id=" + i + "&leg=" + leg;
    }

    static void call(String i, String leg) {
        try {
            new URL(url(i, leg)).openConnection().getInputStream().readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static HttpRequest request(String i, String leg) {
        return HttpRequest.newBuilder(URI.create(url(i, leg))).build();
    }

    static CompletableFuture<?> async(String i, String leg) {
        return CLIENT.sendAsync(request(i, leg), HttpResponse.BodyHandlers.ofString());
    }

    // Two requests hand over the very same object before it has run: it is neither's.
    static final Runnable CACHED = () -> call("none", "cached");
    static CountDownLatch gate;

    static void cached() throws Exception {
        CountDownLatch mine;
        boolean second;
        synchronized (GATED) {
            second = gate != null;
            if (!second) {
                CountDownLatch g = gate = new CountDownLatch(1);
                GATED.execute(() -> { try { g.await(); } catch (InterruptedException e) { throw new RuntimeException(e); } });
            }
            mine = gate;
            GATED.execute(CACHED);
            if (second) gate = null;
        }
        if (second) mine.countDown();
        else if (!mine.await(3, TimeUnit.SECONDS))
            synchronized (GATED) {
                if (gate == mine) {
                    gate = null;
                    GATED.getQueue().clear();
                    mine.countDown();
                }
            }
    }

    static void leg(String how, String i) throws Exception {
        switch (how) {
            case "a": call(i, "a"); break;
            case "submit": POOL.submit(() -> call(i, how)).get(); break;
            case "few": {
                Future<?> p1 = FEW.submit(() -> call(i, how));
                FEW.submit(() -> call(i, how)).get();
                p1.get();
                break;
            }
            case "execute": {
                CountDownLatch done = new CountDownLatch(1);
                POOL.execute(() -> { call(i, how); done.countDown(); });
                done.await();
                break;
            }
            case "cf": CompletableFuture.runAsync(() -> call(i, how), POOL).join(); break;
            case "supply": CompletableFuture.supplyAsync(() -> { call(i, how); return 1; }).thenAccept(x -> call(i, how))
                .thenRunAsync(() -> call(i, how), POOL).join(); break;
            case "completed": { // by another's thread
                CompletableFuture<Void> f = new CompletableFuture<>();
                CompletableFuture<Void> mine = f.thenRun(() -> call(i, how));
                LATER.put(f);
                mine.join();
                break;
            }
            case "fork": FORK.submit(() -> IntStream.range(0, 4).parallel().forEach(k -> call(i, how))).get(); break;
            case "stream": IntStream.range(0, 3).parallel().forEach(k -> call(i, how)); break;
            case "timer": TIMER.schedule(() -> call(i, how), 3, TimeUnit.MILLISECONDS).get(); break;
            case "delayed": CompletableFuture.runAsync(() -> call(i, how),
                CompletableFuture.delayedExecutor(3, TimeUnit.MILLISECONDS, POOL)).join(); break;
            case "send": CLIENT.send(request(i, how), HttpResponse.BodyHandlers.ofString()); break;
            case "async": CompletableFuture.allOf(async(i, how), async(i, how)).join(); break;
            case "chain": async(i, how).thenCompose(x -> async(i, how)).thenRun(() -> call(i, how)).join(); break;
            case "virtual": VIRTUAL.submit(() -> call(i, how)).get(); break;
            case "cached": cached(); break;
            default: throw new IllegalArgumentException(how);
        }
    }

    static ExecutorService VIRTUAL;
    static final BlockingQueue<CompletableFuture<Void>> LATER = new LinkedBlockingQueue<>();

    static void every(int ms, Runnable task) {
        Thread t = new Thread(() -> {
            for (;;)
                try {
                    Thread.sleep(ms);
                    task.run();
                } catch (Exception e) {
                    System.err.println(e);
                }
        });
        t.setDaemon(true);
        t.start();
    }

    static void work(String i, String[] legs) throws Exception {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        if (i.equals("0"))
            return;
        Thread.sleep(random.nextInt(15));
        for (int k = 2; k < legs.length; k++) leg(legs[k], i);
        int pause = random.nextInt(20, 220);
        POOL.execute(() -> {
            try {
                Thread.sleep(pause / 10);
            } catch (InterruptedException e) {
                throw new RuntimeException(e);
            }
            TIMER.schedule(() -> POOL.execute(() -> call(i, "bg")), pause, TimeUnit.MILLISECONDS);
        });
    }

    static String id(String query) {
        return query.substring(query.indexOf('=') + 1);
    }

    // Not every Java 11 has com.sun HttpServer.
    static class Http {
        static void start(int port, Executor pool, String[] legs) throws Exception {
            HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 256);
            s.setExecutor(pool);
            s.createContext("/", x -> serve(x, legs));
            s.start();
        }

        static void serve(HttpExchange x, String[] legs) throws IOException {
            x.getRequestBody().readAllBytes();
            String i = id(x.getRequestURI().getQuery());
            try {
                work(i, legs);
            } catch (Exception e) {
                throw new IOException(e);
            }
            x.sendResponseHeaders(200, i.length());
            x.getResponseBody().write(i.getBytes());
            x.close();
        }
    }

    static class Sockets {
        static void start(int port, Executor pool, String[] legs) throws Exception {
            ServerSocket s = new ServerSocket(port, 256, InetAddress.getByName("127.0.0.1"));
            for (;;) {
                Socket c = s.accept();
                pool.execute(() -> serve(c, legs));
            }
        }

        static void serve(Socket c, String[] legs) {
            try (c; BufferedReader in = new BufferedReader(new InputStreamReader(c.getInputStream(), "ISO-8859-1"))) {
                c.setTcpNoDelay(true);
                for (String first; (first = in.readLine()) != null;) {
                    int length = 0;
                    for (String field; !(field = in.readLine()).isEmpty();)
                        if (field.toLowerCase().startsWith("content-length:"))
                            length = Integer.parseInt(field.substring(15).trim());
                    for (; length > 0; length--) in.read();
                    String i = id(first.split(" ")[1]);
                    work(i, legs);
                    c.getOutputStream().write(("HTTP/1.1 200 OK\r\nContent-Length: " + i.length() + "\r\n\r\n" + i).getBytes());
                }
            } catch (Exception e) {
                System.err.println(e);
            }
        }
    }

    public static void main(String[] a) throws Exception {
        int port = Integer.parseInt(a[0]);
        if (Runtime.version().feature() >= 21) VIRTUAL = virtual();
        every(10, () -> call("none", "tick"));
        every(2, () -> {
            List<CompletableFuture<Void>> all = new ArrayList<>();
            LATER.drainTo(all);
            all.forEach(f -> f.complete(null));
        });
        TIMER.scheduleAtFixedRate(() -> call("none", "rate"), 10, 10, TimeUnit.MILLISECONDS);
        if (a[1].equals("sockets"))
            Sockets.start(port, Executors.newFixedThreadPool(128), a);
        else
            Http.start(port, a[1].equals("virtual") ? VIRTUAL : Executors.newFixedThreadPool(40), a);
    }
}
