/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jvm: HotSpot, 11 and later. What is current is kept in Java, by thread and by task
 * (jvm/Tracebaton.java); this file brings that in, tells it what was read, and asks it.
 *
 * A pool's thread that has read a request may run another task next, without any call
 * that libc sees. What tells the two apart is the Java stack: the handler of a request
 * runs in the same invocation of some method that read it, only further on.
 *
 *     read:    Thread.run  Worker.run  runWorker@42  Exchange.run@73   Request.<init> ...
 *     handler: Thread.run  Worker.run  runWorker@42  Exchange.run@205  doFilter ... write
 *     task:    Thread.run  Worker.run  runWorker@42  AsyncRun.run@9    ... write
 *
 * So the frames of a read are kept, from the bottom; where a request leaves, the
 * first frame that differs must be the same method at another place. Where it is
 * another method, its caller is a loop that hands out work. On a platform thread this
 * only takes away from the thread rule: what passes still needs its proof (flow.h). A
 * virtual thread that serves one connection needs no other: it has one caller.
 *
 * The virtual machine is called only in the calling thread, about itself, and where
 * the call to libc comes from its own socket libraries: there the thread is in native
 * code and holds nothing. Classes are changed once, when the bridge attaches.
 */
#include "bridge/bridge.h"
#include "bridge/jvm_classes.h"
#include "engine/aside.h"
#include "engine/engine.h"
#include "sys/arena.h"
#include "sys/guard.h"
#include "sys/next.h"
#include "sys/probe.h"

#define FRAMES   48 /* kept, from the bottom of the stack */
#define ONE_WALK 96
#define HEAD     8192

/* The parts of jni.h and jvmti.h that are used: tables of functions by index, the same since 1.2.
 */
typedef void *const *const *table;
union value { /* jvalue */
    void *l;
    int64_t j;
    int32_t i;
};
struct frame {
    const void *method;
    int64_t location;
};
struct native {
    const char *name, *type;
    void *function;
};
enum {
    JNI_DEFINE_CLASS = 5,
    JNI_EXCEPTION_CLEAR = 17,
    JNI_PUSH_FRAME = 19,
    JNI_POP_FRAME = 20,
    JNI_GLOBAL = 21,
    JNI_METHOD = 113,
    JNI_CALL_OBJECT = 116,
    JNI_CALL_LONG = 134,
    JNI_CALL_VOID = 143,
    JNI_LENGTH = 171,
    JNI_ELEMENT = 173,
    JNI_NEW_BYTES = 176,
    JNI_GET_BYTES = 200,
    JNI_SET_BYTES = 208,
    JNI_REGISTER = 215,
    JNI_EXCEPTION_CHECK = 228,
    VM_GET_ENV = 6
};
enum {
    JVMTI_EVENT_MODE = 1,
    JVMTI_ALLOCATE = 45,
    JVMTI_DEALLOCATE = 46,
    JVMTI_STACK_TRACE = 103,
    JVMTI_CALLBACKS = 121,
    JVMTI_PROPERTY = 130,
    JVMTI_PHASE = 132,
    JVMTI_CAPABILITIES = 141,
    JVMTI_RETRANSFORM = 151
};
#define JNI_1_8         0x00010008
#define JVMTI_1_2       0x30010200
#define PHASE_LIVE      4
#define CLASS_FILE_HOOK 54 /* event; the 5th callback */

#define CALL(of, index, types) ((int(*) types)(*(of))[index])

/* What Tracebaton.java says: a handle, and in bits of it that are free: */
#define KIND_SHIFT 24
#define SURE       (1 << (KIND_SHIFT + 2))
#define KIND_BITS  ((uint64_t)7 << KIND_SHIFT)
enum kind { NOBODY, TASK, READ, ASIDE };

/* What was on the stack when the head of an exchange was read. */
struct record {
    uint64_t exchange;
    unsigned n;
    struct frame frame[FRAMES];
};

enum method { LOADER, REWRITE, TARGETS, REWRITTEN, OPENED, CURRENT, METHODS };
static const char *const names[METHODS][2] = {{"loader", "()Ljava/lang/ClassLoader;"},
                                              {"rewrite", "([B)[B"},
                                              {"targets", "()[Ljava/lang/Class;"},
                                              {"rewritten", "(II)V"},
                                              {"opened", "(JIZ)V"},
                                              {"current", "()J"}};

static table machine, tools;
static struct record *records;
static void *helper; /* class Tracebaton */
static void *method[METHODS];
static int rewritten;

static const char *const own_libraries[] = {"libnio.", "libnet.", "libjava.", "libextnet."};

/* --- calling ---------------------------------------------------------------------------------- */

static int64_t claim(table env, void *class);

static bool from_java(const void *caller)
{
    return caller == (const void *)claim ||
           bridge_called_from(caller, own_libraries,
                              sizeof(own_libraries) / sizeof(own_libraries[0]));
}

/* The calling thread's, if it is Java's and nothing is pending; else NULL. */
static table environment(const void *caller)
{
    table env = NULL;
    if (!from_java(caller) ||
        CALL(machine, VM_GET_ENV, (table, void *, int))(machine, &env, JNI_1_8) || !env ||
        (CALL(env, JNI_EXCEPTION_CHECK, (table))(env) & 0xff))
        return NULL;
    return env;
}

/* @return true: something was thrown, and is forgotten */
static bool failed(table env)
{
    if (!(CALL(env, JNI_EXCEPTION_CHECK, (table))(env) & 0xff))
        return false;
    CALL(env, JNI_EXCEPTION_CLEAR, (table))(env);
    return true;
}

static void *call_object(table env, enum method m, const union value *args)
{
    void *(*call)(table, void *, void *, const union value *) = (*env)[JNI_CALL_OBJECT];
    void *got = call(env, helper, method[m], args);
    return failed(env) ? NULL : got;
}

static void call_void(table env, enum method m, const union value *args)
{
    void (*call)(table, void *, void *, const union value *) = (*env)[JNI_CALL_VOID];
    call(env, helper, method[m], args);
    failed(env);
}

static void *new_bytes(table env, const void *from, int n)
{
    void *(*make)(table, int) = (*env)[JNI_NEW_BYTES];
    void *bytes = make(env, n);
    if (!failed(env) && bytes)
        CALL(env, JNI_SET_BYTES, (table, void *, int, int, const void *))(env, bytes, 0, n, from);
    return bytes;
}

static void get_bytes(table env, void *bytes, int n, void *to)
{
    CALL(env, JNI_GET_BYTES, (table, void *, int, int, void *))(env, bytes, 0, n, to);
}

static int length(table env, void *array)
{
    return CALL(env, JNI_LENGTH, (table, void *))(env, array);
}

/* --- stacks ---------------------------------------------------------------------------------- */

static unsigned walk(int from, int want, struct frame *out)
{
    int n = 0;
    int failed = CALL(tools, JVMTI_STACK_TRACE, (table, void *, int, int, struct frame *, int *))(
        tools, NULL, from, want, out, &n);
    return failed || n < 0 ? 0 : (unsigned)n;
}

/* The lowest frames of the calling thread, the bottom one first; each that is walked over costs a
 * quarter of a microsecond. Counted from the bottom there must be as many as are asked for: so most
 * stacks are walked over once, only deep ones again. @return how many; 0: not known */
static unsigned lowest(struct frame *out)
{
    struct frame top_first[ONE_WALK];
    unsigned n = walk(0, ONE_WALK, top_first), kept = 0;
    if (n == ONE_WALK)
        n = walk(-FRAMES, FRAMES, top_first);
    while (n > 0 && kept < FRAMES)
        out[kept++] = top_first[--n];
    return kept;
}

/* Are we further on in the invocation that read? */
static bool further_on(const struct frame *then, unsigned n, const struct frame *now, unsigned m)
{
    for (unsigned i = 0; i < n && i < m; i++)
        if (then[i].method != now[i].method)
            return false;
        else if (then[i].location != now[i].location)
            return true;
    return false;
}

/* --- what Java asks ----------------------------------------------------------------------------
 */

/* A native method: its thread is in native code. The exchange lingers since it was read. */
static int64_t claim(table env, void *class)
{
    const void *was = tb_guard.caller;
    (void)env, (void)class;
    tb_guard.caller = (const void *)claim;
    uint64_t h = engine_capture(-1);
    tb_guard.caller = was;
    if (h)
        engine_uncapture(h);
    return (int64_t)h;
}

static void *lines(table env, void *class, int64_t handle, void *head, int port, uint8_t elsewhere)
{
    char out[HEAD], in[HEAD];
    int n = length(env, head);
    (void)class;
    if (n > HEAD)
        return NULL;
    get_bytes(env, head, n, in);
    struct aside q = {{NULL, 0}, {in, (size_t)n}, (uint64_t)handle, (uint16_t)port, elsewhere != 0};
    n = (int)aside_compose(&q, out, sizeof(out));
    return n > 0 ? new_bytes(env, out, n) : NULL;
}

static const struct native natives[] = {{"claim", "()J", (void *)claim},
                                        {"lines", "(J[BIZ)[B", (void *)lines}};

/* --- the carrier ------------------------------------------------------------------------------ */

static struct record *record_of(uint64_t exchange)
{
    return &records[(uint32_t)exchange & (BATON_MAX - 1)];
}

static void opened(uint64_t exchange, uint64_t connection, int fd, const void *caller)
{
    table env = environment(caller);
    union value args[3] = {{.j = (int64_t)exchange}, {.i = fd}, {.i = probe_blocks(fd)}};
    (void)connection;
    if (!env || !baton_take(exchange))
        return;
    baton_linger(exchange);
    record_of(exchange)->n = lowest(record_of(exchange)->frame);
    record_of(exchange)->exchange = exchange;
    call_void(env, OPENED, args);
}

static bool still_in(uint64_t exchange)
{
    struct frame now[FRAMES];
    const struct record *r = record_of(exchange);
    return r->exchange == exchange && further_on(r->frame, r->n, now, lowest(now));
}

static enum carrier_answer current(uint64_t *handle, int fd, const void *caller)
{
    table env = environment(caller);
    (void)fd;
    if (!env)
        return CARRIER_UNKNOWN;
    uint64_t (*call)(table, void *, void *, const union value *) = (*env)[JNI_CALL_LONG];
    uint64_t said = call(env, helper, method[CURRENT], NULL), h = said & ~KIND_BITS;
    if (failed(env))
        return CARRIER_UNKNOWN;
    enum kind kind = said >> KIND_SHIFT & 3;
    if (kind == ASIDE)
        return CARRIER_WRITES;
    if (kind == NOBODY || (kind == READ && !still_in(h)))
        return CARRIER_NOBODY;
    if (kind == READ && !(said & SURE))
        return CARRIER_PASS;
    *handle = h;
    return CARRIER_HELD;
}

static const struct carrier carrier = {NULL, opened, current};

/* --- attaching -------------------------------------------------------------------------------- */

/* ClassFileLoadHook: only while we ask for classes to be changed. What is returned is freed by the
 * virtual machine. */
static void loaded(table t, table env, void *being, void *loader, const char *name, void *domain,
                   int n, const unsigned char *data, int *new_n, unsigned char **new_data)
{
    unsigned char *to = NULL;
    (void)t, (void)loader, (void)name, (void)domain;
    if (!being)
        return;
    union value args[1] = {{.l = new_bytes(env, data, n)}};
    void *bytes = args[0].l ? call_object(env, REWRITE, args) : NULL;
    int m = bytes ? length(env, bytes) : 0;
    if (m == 0 || CALL(tools, JVMTI_ALLOCATE, (table, int64_t, unsigned char **))(tools, m, &to))
        return;
    get_bytes(env, bytes, m, to);
    *new_n = m;
    *new_data = to;
    rewritten++;
}

static const void *const callbacks[5] = {NULL, NULL, NULL, NULL, (const void *)loaded};

static int class_hook(int on)
{
    return CALL(tools, JVMTI_EVENT_MODE, (table, int, int, void *))(tools, on, CLASS_FILE_HOOK,
                                                                    NULL);
}

static void rewrite_all(table env)
{
    static const uint8_t can_retransform[16] = {[4] = 0x20};
    void *class[16], *all = call_object(env, TARGETS, NULL);
    int n = all ? length(env, all) : 0;
    if (n == 0 || n > 16 ||
        CALL(tools, JVMTI_CAPABILITIES, (table, const void *))(tools, can_retransform) ||
        CALL(tools, JVMTI_CALLBACKS, (table, const void *, int))(tools, callbacks,
                                                                 sizeof(callbacks)) ||
        class_hook(1))
        return;
    void *(*element)(table, void *, int) = (*env)[JNI_ELEMENT];
    for (int i = 0; i < n; i++)
        class[i] = element(env, all, i);
    int error = CALL(tools, JVMTI_RETRANSFORM, (table, int, void **))(tools, n, class);
    class_hook(0);
    union value args[2] = {{.i = error ? -1 : rewritten}, {.i = n}};
    call_void(env, REWRITTEN, args);
}

static bool bind(table env)
{
    void *(*find)(table, void *, const char *, const char *) = (*env)[JNI_METHOD];
    for (int i = 0; i < METHODS; i++) {
        method[i] = find(env, helper, names[i][0], names[i][1]);
        if (failed(env) || !method[i])
            return false;
    }
    return !CALL(env, JNI_REGISTER, (table, void *, const struct native *, int))(
               env, helper, natives, sizeof(natives) / sizeof(natives[0])) &&
           !failed(env);
}

/* One of jvm_classes.h. A package's own name puts it into its module. */
static void *define(table env, void *loader, const unsigned char **p)
{
    void *(*make)(table, const char *, void *, const void *, int) = (*env)[JNI_DEFINE_CLASS];
    const unsigned char *at = *p;
    int n = at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
    void *class = make(env, NULL, loader, at + 4, n);
    *p = at + 4 + n;
    return failed(env) ? NULL : class;
}

/* The first is Tracebaton; the last belongs to the HTTP client, whose loader is not the first one.
 */
static bool define_all(table env)
{
    void *(*keep)(table, void *) = (*env)[JNI_GLOBAL];
    const unsigned char *p = jvm_classes, *end = p + sizeof(jvm_classes);
    void *class = define(env, NULL, &p);
    helper = class ? keep(env, class) : NULL;
    for (int i = 2; i < JVM_CLASSES && class; i++)
        class = define(env, NULL, &p);
    if (!class || !bind(env))
        return false;
    void *loader = call_object(env, LOADER, NULL);
    return loader && define(env, loader, &p) && p == end;
}

static bool enter(table env)
{
    if (CALL(env, JNI_PUSH_FRAME, (table, int))(env, 64))
        return false;
    bool ok = define_all(env);
    if (ok)
        rewrite_all(env);
    CALL(env, JNI_POP_FRAME, (table, void *))(env, NULL);
    return ok;
}

static bool contains(const char *s, const char *what)
{
    for (; *s; s++) {
        size_t i = 0;
        while (what[i] && s[i] == what[i])
            i++;
        if (!what[i])
            return true;
    }
    return false;
}

static bool is_hotspot(void)
{
    char *name = NULL;
    if (CALL(tools, JVMTI_PROPERTY, (table, const char *, char **))(tools, "java.vm.name", &name) ||
        !name)
        return false;
    bool yes = contains(name, "HotSpot") || contains(name, "OpenJDK");
    CALL(tools, JVMTI_DEALLOCATE, (table, char *))(tools, name);
    return yes;
}

static bool is_live(void)
{
    int phase = 0;
    return !CALL(tools, JVMTI_PHASE, (table, int *))(tools, &phase) && phase == PHASE_LIVE;
}

static enum bridge_state attach(const void *caller)
{
    int (*created)(table *, int, int *) = next_find_any("JNI_GetCreatedJavaVMs");
    table vm = NULL, found = NULL;
    int n = 0;
    if (!created || created(&vm, 1, &n) || n != 1)
        return created ? BRIDGE_LATER : BRIDGE_ABSENT;
    machine = vm;
    table env = environment(caller);
    if (!env)
        return BRIDGE_LATER;
    if (!tools && CALL(machine, VM_GET_ENV, (table, void *, int))(machine, &found, JVMTI_1_2))
        return BRIDGE_REFUSED;
    tools = tools ? tools : found;
    if (!is_live())
        return BRIDGE_LATER;
    records = is_hotspot() ? arena_map(BATON_MAX * sizeof(struct record)) : NULL;
    if (!records || !enter(env))
        return BRIDGE_REFUSED;
    carrier_attach(&carrier);
    return BRIDGE_ON;
}

const struct bridge bridge_jvm = {NULL, attach};
