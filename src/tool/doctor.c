/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: can the library work in this program? Says what was found, why it cannot, what instead.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tool/tool.h"

struct report {
    bool quiet, works;
};

__attribute__((format(printf, 3, 4))) static void say(struct report *r, const char *mark,
                                                      const char *format, ...)
{
    va_list ap;
    if (strcmp(mark, "no") == 0)
        r->works = false;
    if (r->quiet)
        return;
    printf("%-5s ", mark);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
}

/* "#!interpreter [argument]": the interpreter is what the library would be loaded into. */
static char *script_interpreter(const char *path)
{
    char line[256] = "";
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    bool script = fgets(line, sizeof(line), f) && strncmp(line, "#!", 2) == 0;
    fclose(f);
    if (!script)
        return NULL;
    char *save, *word = strtok_r(line + 2, " \t\n", &save), *arg = strtok_r(NULL, " \t\n", &save);
    if (!word)
        return NULL;
    const char *base = strrchr(word, '/');
    if (base && strcmp(base, "/env") == 0 && arg && arg[0] != '-')
        return tool_which(arg);
    return strdup(word);
}

/* The loader drops LD_PRELOAD where privileges would change (ld.so(8), secure-execution mode). */
static void check_privileges(struct report *r, const char *path)
{
    struct stat st;
    char value[64];
    if (stat(path, &st) != 0)
        return;
    if ((st.st_mode & S_ISUID) && st.st_uid != geteuid())
        say(r, "no", "it is setuid: the loader ignores LD_PRELOAD for users other than its owner");
    if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getegid())
        say(r, "no", "it is setgid: the loader ignores LD_PRELOAD");
    if (getxattr(path, "security.capability", value, sizeof(value)) > 0) {
        if (geteuid() == 0)
            say(r, "note", "it has file capabilities: LD_PRELOAD works for root only");
        else
            say(r, "no",
                "it has file capabilities: the loader ignores LD_PRELOAD. Give the capability"
                " to the container or the service instead of the file");
    }
}

static void check_library(struct report *r)
{
    struct statvfs fs;
    char *library = tool_library();
    if (!library || access(library, R_OK) != 0)
        say(r, "no", "libtracebaton.so was not found or cannot be read; set TRACEBATON_LIB");
    else if (statvfs(library, &fs) == 0 && (fs.f_flag & ST_NOEXEC))
        say(r, "no", "%s is on a file system mounted noexec", library);
    else
        say(r, "ok", "library %s", library);
    free(library);
}

static const char *machine_name(unsigned machine)
{
    switch (machine) {
    case 3:
        return "i386";
    case 40:
        return "arm (32 bit)";
    case 62:
        return "x86-64";
    case 183:
        return "aarch64";
    case 243:
        return "riscv";
    default:
        return "another CPU";
    }
}

static void check_binary(struct report *r, const struct elf_facts *x)
{
    if (!x->this_class || !x->this_machine) {
        say(r, "no", "it is built for %s%s; this library is not. Use the file of that CPU",
            machine_name(x->machine), x->this_class ? "" : ", 32 bit or big-endian");
        return;
    }
    if (!x->interpreted)
        say(r, "no", "it is statically linked: no loader runs, so nothing can be preloaded.%s",
            x->go ? "" : " Link it dynamically");
    else
        say(r, "ok", "dynamically linked (%s, loader %s)", x->musl ? "musl" : "glibc",
            x->interpreter);
    if (x->go)
        say(r, "no",
            "it is a Go program: Go makes its system calls itself and never calls libc for"
            " sockets. Pass the headers on in its code (net/http request headers)");
    if (x->interpreted && access(x->interpreter, X_OK) != 0)
        say(r, "no", "its loader %s is not on this machine", x->interpreter);
}

static void check_elf(struct report *r, const char *path, int depth)
{
    struct elf_facts x;
    int err = elf_look(path, &x);
    if (err) {
        say(r, "no", "%s: %s", path, strerror(err));
        return;
    }
    char *interpreter = x.elf ? NULL : script_interpreter(path);
    if (interpreter && depth < 4) {
        say(r, "ok", "%s is a script; it runs in %s", path, interpreter);
        check_elf(r, interpreter, depth + 1);
    } else if (!x.elf) {
        say(r, "no", "%s is neither an ELF program nor a script", path);
    } else {
        check_privileges(r, path);
        check_binary(r, &x);
    }
    free(interpreter);
}

bool doctor_check(const char *path, bool quiet)
{
    struct report r = {quiet, true};
    check_elf(&r, path, 0);
    check_library(&r);
    return r.works;
}

int verb_doctor(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: tracebaton doctor PROGRAM\n", stderr);
        return 2;
    }
    char *path = tool_which(argv[1]);
    if (!path || access(path, F_OK) != 0) {
        fprintf(stderr, "tracebaton: %s: not found\n", argv[1]);
        free(path);
        return 2;
    }
    bool works = doctor_check(path, false);
    printf("%s\n", works ? "tracebaton can work in it" : "tracebaton cannot work in it");
    free(path);
    return works ? 0 : 1;
}
