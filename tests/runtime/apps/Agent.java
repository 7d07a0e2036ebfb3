/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An agent of another vendor: it has classes of the JDK transformed anew, again and again while requests
 * are served (and gives back what it was given). Its argument says which: those that the bridge
 * changes, too, or others.
 */
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;

public final class Agent implements ClassFileTransformer {
    private static final String[] SAME = {"java.util.concurrent.ThreadPoolExecutor", "java.util.concurrent.ForkJoinTask",
                                          "java.util.concurrent.CompletableFuture"};
    private static final String[] OTHERS = {"java.net.HttpURLConnection", "java.net.Socket", "java.lang.Thread",
                                            "java.util.concurrent.FutureTask"};

    @Override
    public byte[] transform(ClassLoader loader, String name, Class<?> being, ProtectionDomain domain, byte[] bytes) {
        return being == null ? null : bytes.clone();
    }

    private static void again(Instrumentation tools, String[] names) {
        try {
            for (int i = 0; i < 100; i++) {
                for (String name : names)
                    tools.retransformClasses(Class.forName(name));
                Thread.sleep(20);
            }
        } catch (Exception e) {
            e.printStackTrace();
        }
    }

    public static void premain(String which, Instrumentation tools) {
        tools.addTransformer(new Agent(), true);
        Thread t = new Thread(() -> again(tools, which.equals("same") ? SAME : OTHERS));
        t.setDaemon(true);
        t.start();
    }
}
