/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts calls into the JDK's classes (class file format: JVMS 4). Two ways: a call of
 * a method is replaced by one of a static method of the same effect on the stack,
 * which changes no length; or eight bytes are put in front, which shifts what counts
 * from the start of the code: the first stack map frame, types of uninitialised
 * objects, handlers, line numbers and variables. Eight keep the alignment of
 * switches. Branches are relative and none crosses the place.
 */
package java.util.concurrent;

import java.io.ByteArrayOutputStream;

final class TracebatonRewriter {
    private static final String J = "java/util/concurrent/", H = "jdk/internal/net/http/", N = "java/net/http/";
    private static final String T = J + "Tracebaton.", C = H + "TracebatonClient.";
    private static final String CF = J + "CompletableFuture", FJ = J + "ForkJoinTask";
    private static final String FIRE = "tryFire:(I)L" + CF + ";";
    private static final String FIRED = T + "tryFire:(L" + CF + "$Completion;I)L" + CF + ";";

    static final String[] NAMES = {
        "java.util.concurrent.ThreadPoolExecutor", "java.util.concurrent.ScheduledThreadPoolExecutor",
        "java.util.concurrent.ForkJoinTask", "java.util.concurrent.CompletableFuture",
        "java.util.concurrent.CompletableFuture$Completion", "java.util.concurrent.CompletableFuture$AsyncRun",
        "java.util.concurrent.CompletableFuture$AsyncSupply", "jdk.internal.net.http.HttpClientImpl",
        "jdk.internal.net.http.HttpRequestImpl", "jdk.internal.net.http.SocketTube"};

    /** class, method (its beginning), the call that is replaced or the loads that are put in front, the new call */
    private static final String[][] EDITS = {
        {J + "ThreadPoolExecutor", "execute(L", "\u002b", T + "submitted:(Ljava/lang/Runnable;)V"},
        {J + "ThreadPoolExecutor", "runWorker(L", "java/lang/Runnable.run:()V", T + "run:(Ljava/lang/Runnable;)V"},
        {J + "ScheduledThreadPoolExecutor", "delayedExecute(L", "\u002b", T + "scheduled:(L" + J + "RunnableScheduledFuture;)V"},
        {FJ, "<init>()", "\u002a", T + "born:(L" + FJ + ";)V"},
        {FJ, "reinitialize()", "\u002a", T + "renewed:(L" + FJ + ";)V"},
        {FJ, "doExec()", FJ + ".exec:()Z", T + "exec:(L" + FJ + ";)Z"},
        {CF, "", CF + "$Completion." + FIRE, FIRED},
        {CF, "", CF + "$BiCompletion." + FIRE, FIRED},
        {CF + "$Completion", "", CF + "$Completion." + FIRE, FIRED},
        {CF + "$AsyncRun", "run()", "\u002a", T + "begin:(L" + FJ + ";)V"},
        {CF + "$AsyncRun", "run()", "java/lang/Runnable.run:()V", T + "then:(Ljava/lang/Runnable;)V"},
        {CF + "$AsyncSupply", "run()", "\u002a", T + "begin:(L" + FJ + ";)V"},
        {CF + "$AsyncSupply", "run()", "java/util/function/Supplier.get:()Ljava/lang/Object;",
            T + "then:(Ljava/util/function/Supplier;)Ljava/lang/Object;"},
        {H + "HttpClientImpl", "sendAsync(L" + N + "HttpRequest;L" + N + "HttpResponse$BodyHandler;L" + N
            + "HttpResponse$PushPromiseHandler;Ljava/util/concurrent/Executor;)", "\u002a\u002b",
            C + "request:(L" + H + "HttpClientImpl;L" + N + "HttpRequest;)V"},
        {H + "HttpRequestImpl", "<init>(L" + N + "HttpRequest;Ljava/net/ProxySelector;)", N + "HttpRequest.headers:()L" + N
            + "HttpHeaders;", C + "headers:(L" + N + "HttpRequest;)L" + N + "HttpHeaders;"},
        {H + "SocketTube", "writeAvailable(", "java/nio/channels/SocketChannel.write:([Ljava/nio/ByteBuffer;)J",
            C + "write:(Ljava/nio/channels/SocketChannel;[Ljava/nio/ByteBuffer;)J"}};

    private static final int FRONT = 8;

    private final byte[] in;
    private int at;
    private ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final int[] old = new int[EDITS.length]; /* the constant of the call that is replaced */
    private int[] entry;   /* of the constant pool: where */
    private int constants; /* how many there will be */
    private final ByteArrayOutputStream more = new ByteArrayOutputStream();

    TracebatonRewriter(byte[] bytes) {
        in = bytes;
    }

    /* --- bytes ---------------------------------------------------------------------------- */

    private int u1(int i) {
        return in[i] & 0xff;
    }

    private int u2(int i) {
        return u1(i) << 8 | u1(i + 1);
    }

    private int u4(int i) {
        return u2(i) << 16 | u2(i + 2);
    }

    private static void put2(ByteArrayOutputStream o, int v) {
        o.write(v >> 8);
        o.write(v);
    }

    private static void put4(ByteArrayOutputStream o, int v) {
        put2(o, v >>> 16);
        put2(o, v);
    }

    private void copy(int n) {
        out.write(in, at, n);
        at += n;
    }

    private int copy2() {
        int v = u2(at);
        copy(2);
        return v;
    }

    /* --- the constant pool ---------------------------------------------------------------- */

    private void readConstants() {
        entry = new int[constants = u2(8)];
        at = 10;
        for (int i = 1; i < entry.length; i++) {
            entry[i] = at;
            int tag = u1(at);
            switch (tag) {
            case 1: at += 3 + u2(at + 1); break;
            case 7: case 8: case 16: case 19: case 20: at += 3; break;
            case 15: at += 4; break;
            case 5: case 6: at += 9; i++; break;
            default: at += 5;
            }
        }
    }

    @SuppressWarnings("deprecation") /* names are Latin here, and this one is fast where nothing is compiled yet */
    private String text(int i) {
        int p = entry[i];
        return new String(in, 0, p + 3, u2(p + 1));
    }

    private boolean is(int i, String s, int from, int to) {
        int p = entry[i];
        return u2(p + 1) == to - from && text(i).regionMatches(0, s, from, to - from);
    }

    /** Is this constant class.name:descriptor? */
    private boolean method(int i, String m) {
        int p = entry[i], tag = p == 0 ? 0 : u1(p), dot = m.indexOf('.'), colon = m.indexOf(':');
        if (tag != 10 && tag != 11)
            return false;
        int pair = entry[u2(p + 3)];
        return is(u2(pair + 1), m, dot + 1, colon) && is(u2(pair + 3), m, colon + 1, m.length())
            && is(u2(entry[u2(p + 1)] + 1), m, 0, dot);
    }

    /** Which constant is it? 0: none. */
    private int find(String m) {
        int i = entry.length;
        do
            i--;
        while (i > 0 && !method(i, m));
        return i;
    }

    private int add(int tag, int a, int b) {
        more.write(tag);
        put2(more, a);
        if (b != 0)
            put2(more, b);
        return constants++;
    }

    private int addText(String s) {
        more.write(1);
        put2(more, s.length());
        for (int i = 0; i < s.length(); i++)
            more.write(s.charAt(i));
        return constants++;
    }

    private int addMethod(String m) {
        int dot = m.indexOf('.'), colon = m.indexOf(':');
        int owner = add(7, addText(m.substring(0, dot)), 0);
        int name = addText(m.substring(dot + 1, colon));
        return add(10, owner, add(12, name, addText(m.substring(colon + 1))));
    }

    /* --- the class ------------------------------------------------------------------------ */

    /** @return null: it is not as expected */
    byte[] rewrite() {
        readConstants();
        int start = at;
        String name = text(u2(entry[u2(start + 2)] + 1));
        copy(6);
        copy(2 * copy2()); /* interfaces */
        for (int i = 0; i < EDITS.length; i++)
            if (EDITS[i][0].equals(name) && EDITS[i][2].indexOf('.') > 0)
                old[i] = find(EDITS[i][2]);
        members(name, null);
        int[] count = new int[EDITS.length];
        members(name, count);
        copy(in.length - at);
        boolean all = false;
        for (int i = 0; i < EDITS.length; i++)
            if (EDITS[i][0].equals(name)) {
                if (count[i] == 0)
                    return null;
                all = true;
            }
        return all ? assemble(start) : null;
    }

    private byte[] assemble(int start) {
        ByteArrayOutputStream all = new ByteArrayOutputStream(in.length + 1024);
        all.write(in, 0, 8);
        put2(all, constants);
        all.write(in, 10, start - 10);
        byte[] b = more.toByteArray();
        all.write(b, 0, b.length);
        b = out.toByteArray();
        all.write(b, 0, b.length);
        return all.toByteArray();
    }

    /** Fields (no count), or methods. */
    private void members(String owner, int[] count) {
        for (int n = copy2(); n > 0; n--) {
            String method = text(u2(at + 2)).concat(text(u2(at + 4)));
            copy(6);
            for (int k = copy2(); k > 0; k--)
                if (count != null && text(u2(at)).equals("Code"))
                    code(owner, method, count);
                else
                    copy(6 + u4(at + 2));
        }
    }

    private void code(String owner, String method, int[] count) {
        int end = at + 6 + u4(at + 2), length = u4(at + 10);
        byte[] code = new byte[length];
        System.arraycopy(in, at + 14, code, 0, length);
        byte[] front = null;
        boolean changed = false;
        for (int i = 0; i < EDITS.length; i++) {
            String[] e = EDITS[i];
            if (!e[0].equals(owner) || !method.startsWith(e[1]))
                continue;
            if (e[2].indexOf('.') < 0) {
                front = front(e);
                count[i]++;
            } else {
                int n = old[i] == 0 ? 0 : replace(code, old[i], e[3]);
                changed |= n > 0;
                count[i] += n;
            }
        }
        if (front == null && !changed)
            copy(end - at);
        else
            write(code, front, method.startsWith("<init>") ? 4 : 0, end);
        at = end;
    }

    private byte[] front(String[] edit) {
        byte[] b = new byte[FRONT]; /* 0 is nop */
        int n = edit[2].length(), m = addMethod(edit[3]);
        for (int i = 0; i < n; i++)
            b[i] = (byte) edit[2].charAt(i);
        b[n] = (byte) 184; /* invokestatic */
        b[n + 1] = (byte) (m >> 8);
        b[n + 2] = (byte) m;
        return b;
    }

    private int replace(byte[] code, int old, String m) {
        int n = 0, now = 0;
        byte high = (byte) (old >> 8), low = (byte) old;
        byte[] lengths = LENGTHS;
        for (int i = 0, k; i < code.length; i += k) {
            int op = code[i] & 0xff;
            k = lengths[op];
            if (k == 0)
                k = length(code, i);
            if (op < 182 || op > 185 || code[i + 2] != low || code[i + 1] != high)
                continue;
            if (n++ == 0)
                now = addMethod(m);
            code[i] = (byte) 184;
            code[i + 1] = (byte) (now >> 8);
            code[i + 2] = (byte) now;
            if (op == 185) /* invokeinterface is two longer */
                code[i + 3] = code[i + 4] = 0;
        }
        return n;
    }

    private static int int4(byte[] c, int i) {
        return c[i] << 24 | (c[i + 1] & 0xff) << 16 | (c[i + 2] & 0xff) << 8 | c[i + 3] & 0xff;
    }

    /** Of a switch or a wide instruction. */
    private static int length(byte[] c, int i) {
        int op = c[i] & 0xff, aligned = (i + 4 & ~3) - i;
        if (op == 170)
            return aligned + 12 + 4 * (int4(c, i + aligned + 8) - int4(c, i + aligned + 4) + 1);
        if (op == 171)
            return aligned + 8 + 8 * int4(c, i + aligned + 4);
        return (c[i + 1] & 0xff) == 132 ? 6 : 4;
    }

    /** Lengths of instructions by opcode; 0: length() knows. */
    private static final byte[] LENGTHS = new byte[256];
    static {
        String more = "\020\020\2\021\021\3\022\022\2\023\024\3\025\031\2\066\072\2\204\204\3\231\250\3\251\251\2\252\253\0"
            .concat("\262\270\3\271\272\5\273\273\3\274\274\2\275\275\3\300\301\3\304\304\0\305\305\4\306\307\3\310\311\5");
        java.util.Arrays.fill(LENGTHS, (byte) 1);
        for (int i = 0; i < more.length(); i += 3) /* from, to, length */
            java.util.Arrays.fill(LENGTHS, more.charAt(i), more.charAt(i + 1) + 1, (byte) more.charAt(i + 2));
    }

    /* --- a method's code ------------------------------------------------------------------ */

    private void write(byte[] code, byte[] front, int place, int end) {
        ByteArrayOutputStream whole = out;
        int name = u2(at), stack = u2(at + 6), locals = u2(at + 8);
        int shift = front == null ? 0 : FRONT;
        if (shift > 0 && place > 0 && (code[0] != 0x2a || code[1] != (byte) 183))
            throw new IllegalStateException(); /* super() is not called first */
        out = new ByteArrayOutputStream(end - at + 64);
        put2(out, Math.max(stack, 2));
        put2(out, locals);
        put4(out, code.length + shift);
        out.write(code, 0, place);
        out.write(front == null ? code : front, 0, shift);
        out.write(code, place, code.length - place);
        at += 14 + code.length;
        if (shift == 0)
            copy(end - at);
        else
            tables(place);
        byte[] body = out.toByteArray();
        out = whole;
        put2(out, name);
        put4(out, body.length);
        out.write(body, 0, body.length);
    }

    private void tables(int place) {
        for (int n = copy2(); n > 0; n--) {
            for (int i = 0; i < 3; i++, at += 2)
                put2(out, u2(at) + FRONT);
            copy(2);
        }
        int all = u2(at), kept = 0;
        ByteArrayOutputStream whole = out;
        out = new ByteArrayOutputStream();
        at += 2;
        for (; all > 0; all--)
            if (table(text(u2(at)), place))
                kept++;
        byte[] b = out.toByteArray();
        out = whole;
        put2(out, kept);
        out.write(b, 0, b.length);
    }

    /** An attribute of a code. @return false: it is left out */
    private boolean table(String name, int place) {
        int end = at + 6 + u4(at + 2), index = u2(at);
        int kind = name.equals("LineNumberTable") ? 1 : name.equals("StackMapTable") ? 2
            : name.startsWith("LocalVariableT") ? 3 : 0;
        if (kind != 0) {
            ByteArrayOutputStream whole = out;
            out = new ByteArrayOutputStream(end - at + 16);
            at += 6;
            if (kind == 2)
                frames(place);
            else
                ranges(kind == 3, place);
            byte[] b = out.toByteArray();
            out = whole;
            put2(out, index);
            put4(out, b.length);
            out.write(b, 0, b.length);
        }
        at = end;
        return kind != 0;
    }

    /** Lines (where, line) or variables (where, length, three more); what begins at the place begins before us. */
    private void ranges(boolean variables, int place) {
        for (int n = copy2(); n > 0; n--) {
            int from = u2(at);
            put2(out, from > place ? from + FRONT : from);
            if (variables)
                put2(out, u2(at + 2) + (from > place ? 0 : FRONT));
            at += variables ? 4 : 2;
            copy(variables ? 6 : 2);
        }
    }

    private void frames(int place) {
        int shift = FRONT; /* of the first; the others count from the one before */
        for (int n = copy2(); n > 0; n--, shift = 0) {
            int type = u1(at++), delta = type < 128 ? type & 63 : u2(at);
            if (type >= 128)
                at += 2;
            delta += shift;
            if (type < 128 && delta < 64) {
                out.write(type & 64 | delta);
            } else {
                out.write(type < 64 ? 251 : type < 128 ? 247 : type);
                put2(out, delta);
            }
            if (type == 255) {
                types(copy2(), place);
                types(copy2(), place);
            } else {
                types(type >= 252 ? type - 251 : type == 247 || type >= 64 && type < 128 ? 1 : 0, place);
            }
        }
    }

    private void types(int n, int place) {
        for (; n > 0; n--) {
            int tag = u1(at);
            copy(1);
            if (tag == 7)
                copy(2);
            if (tag == 8) {
                put2(out, u2(at) + (u2(at) >= place ? FRONT : 0));
                at += 2;
            }
        }
    }
}
