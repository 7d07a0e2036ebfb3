/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jvm: HotSpot. A pool's thread that has read a request with a blocking read may
 * run another task next, without any call that libc sees. What tells the two apart
 * is the Java stack: the handler of a request runs in the same invocation of some
 * method that read it, only further on.
 *
 *     read:    Thread.run  Worker.run  runWorker@42  Exchange.run@73   Request.<init> ...
 *     handler: Thread.run  Worker.run  runWorker@42  Exchange.run@205  doFilter ... write
 *     task:    Thread.run  Worker.run  runWorker@42  AsyncRun.run@9    ... write
 *
 * So the frames of a read are kept, from the bottom; where a request leaves, the
 * first frame that differs must be the same method at another place. Where it is
 * another method, its caller is a loop that hands out work. This only takes away
 * from the thread rule: what passes still needs its proof (flow.h).
 *
 * The virtual machine is asked through JVMTI, in the calling thread about itself,
 * and only where the call to libc comes from its own socket libraries: there the
 * thread is in native code and holds nothing. No capability is needed, no class is
 * changed, no Java code runs.
 */
#include "bridge/bridge.h"
#include "sys/arena.h"
#include "sys/guard.h"
#include "sys/next.h"

#define FRAMES 48  /* kept, from the bottom of the stack */
#define ALL    512 /* a deeper stack is not compared */
#define PROBES 8
#define SLOTS  (4096 + PROBES) /* threads that are remembered at once */

/* The parts of jni.h and jvmti.h that are used: tables of functions by index, the same since 1.2.
 */
typedef void *const *const *table;
struct frame {
    const void *method;
    int64_t location;
};
enum { JNI_EXCEPTION_CHECK = 228, VM_GET_ENV = 6 };
enum {
    JVMTI_FRAME_COUNT = 15,
    JVMTI_DEALLOCATE = 46,
    JVMTI_STACK_TRACE = 103,
    JVMTI_PROPERTY = 130,
    JVMTI_PHASE = 132
};
#define JNI_1_8    0x00010008
#define JVMTI_1_2  0x30010200
#define PHASE_LIVE 4

#define CALL(of, index, types) ((int(*) types)(*(of))[index])

/* What a thread had on its stack when it read the last head; `thread` is its guard's address. */
struct record {
    const void *thread;
    unsigned n;
    struct frame frame[FRAMES];
};

static table machine, tools;
static struct record *records;

static const char *const own_libraries[] = {"libnio.", "libnet.", "libjava.", "libextnet."};

static bool from_java(const void *caller)
{
    return bridge_called_from(caller, own_libraries,
                              sizeof(own_libraries) / sizeof(own_libraries[0]));
}

/* The calling thread is Java's and nothing is pending. */
static bool may_ask(const void *caller)
{
    table env = NULL;
    return from_java(caller) &&
           CALL(machine, VM_GET_ENV, (table, void *, int))(machine, &env, JNI_1_8) == 0 && env &&
           !(CALL(env, JNI_EXCEPTION_CHECK, (table))(env) & 0xff);
}

/* --- stacks ---------------------------------------------------------------------------------- */

/* The lowest frames of the calling thread, the bottom one first. @return how many; 0: not known */
static unsigned lowest(struct frame *out)
{
    struct frame top_first[FRAMES];
    int depth = 0, n = 0;
    if (CALL(tools, JVMTI_FRAME_COUNT, (table, void *, int *))(tools, NULL, &depth) || depth <= 0 ||
        depth > ALL)
        return 0;
    int want = depth < FRAMES ? depth : FRAMES;
    if (CALL(tools, JVMTI_STACK_TRACE, (table, void *, int, int, struct frame *, int *))(
            tools, NULL, depth - want, want, top_first, &n))
        return 0;
    for (int i = 0; i < n; i++)
        out[i] = top_first[n - 1 - i];
    return n > 0 ? (unsigned)n : 0;
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

/* --- records --------------------------------------------------------------------------------- */

/* The addresses of threads differ in their upper bits. */
static struct record *slot(unsigned i)
{
    return &records[((uint32_t)((uintptr_t)&tb_guard >> 6) * 2654435761u >> 20) + i];
}

static struct record *mine(void)
{
    for (unsigned i = 0; i < PROBES; i++)
        if (__atomic_load_n(&slot(i)->thread, __ATOMIC_RELAXED) == &tb_guard)
            return slot(i);
    return NULL;
}

/* A free slot, or one that is taken from a thread that has perhaps ended: that one gets nothing. */
static struct record *take(void)
{
    struct record *r = mine();
    for (unsigned i = 0; i < PROBES && !r; i++) {
        const void *none = NULL;
        if (__atomic_compare_exchange_n(&slot(i)->thread, &none, &tb_guard, 0, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            r = slot(i);
    }
    return r;
}

/* --- the carrier ------------------------------------------------------------------------------ */

static void opened(uint64_t exchange, uint64_t connection, int fd, const void *caller)
{
    struct record *r = take();
    (void)exchange, (void)connection, (void)fd;
    if (r)
        r->n = may_ask(caller) ? lowest(r->frame) : 0;
}

static enum carrier_answer current(uint64_t *handle, int fd, const void *caller)
{
    struct frame now[FRAMES];
    struct record *r = mine();
    (void)handle, (void)fd;
    if (!r || !r->n || !may_ask(caller))
        return CARRIER_UNKNOWN;
    return further_on(r->frame, r->n, now, lowest(now)) ? CARRIER_PASS : CARRIER_NOBODY;
}

static const struct carrier carrier = {NULL, opened, current};

/* --- attaching -------------------------------------------------------------------------------- */

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
    if (!may_ask(caller))
        return BRIDGE_LATER;
    if (!tools && CALL(machine, VM_GET_ENV, (table, void *, int))(machine, &found, JVMTI_1_2))
        return BRIDGE_REFUSED;
    tools = tools ? tools : found;
    if (!is_live())
        return BRIDGE_LATER;
    records = is_hotspot() ? arena_map(SLOTS * sizeof(struct record)) : NULL;
    if (!records)
        return BRIDGE_REFUSED;
    carrier_attach(&carrier);
    return BRIDGE_ON;
}

const struct bridge bridge_jvm = {NULL, attach};
