/* SPDX-License-Identifier: Apache-2.0 */
/* elf: what a program file says of itself. Every offset is checked against the file. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/tool.h"

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE EM_AARCH64
#elif defined(__riscv)
#define THIS_MACHINE EM_RISCV
#else
#define THIS_MACHINE EM_NONE
#endif

struct file {
    const unsigned char *p;
    size_t n;
};

static const void *at(const struct file *f, uint64_t off, uint64_t n)
{
    return off <= f->n && n <= f->n - off ? f->p + off : NULL;
}

static void look_segment(const struct file *f, const Elf64_Phdr *ph, struct elf_facts *x)
{
    if (ph->p_type == PT_DYNAMIC)
        x->dynamic = true;
    const char *s = ph->p_type == PT_INTERP ? at(f, ph->p_offset, ph->p_filesz) : NULL;
    if (!s || ph->p_filesz >= sizeof(x->interpreter))
        return;
    memcpy(x->interpreter, s, ph->p_filesz);
    x->interpreted = true;
    x->musl = strstr(x->interpreter, "ld-musl") != NULL;
}

/* Go's linker names two sections that no other does; a stripped binary keeps them. */
static void look_section(const struct file *f, const Elf64_Shdr *sh, const Elf64_Shdr *names,
                         struct elf_facts *x)
{
    static const char go[] = ".go.buildinfo", note[] = ".note.go.buildid";
    const char *s = at(f, names->sh_offset + sh->sh_name, sizeof(go));
    if (s && memcmp(s, go, sizeof(go)) == 0)
        x->go = true;
    s = at(f, names->sh_offset + sh->sh_name, sizeof(note));
    if (s && memcmp(s, note, sizeof(note)) == 0)
        x->go = true;
}

static void look64(const struct file *f, struct elf_facts *x)
{
    const Elf64_Ehdr *eh = at(f, 0, sizeof(*eh));
    if (!eh)
        return;
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        const Elf64_Phdr *ph = at(f, eh->e_phoff + (uint64_t)i * sizeof(*ph), sizeof(*ph));
        if (ph)
            look_segment(f, ph, x);
    }
    const Elf64_Shdr *names =
        at(f, eh->e_shoff + (uint64_t)eh->e_shstrndx * sizeof(*names), sizeof(*names));
    for (unsigned i = 0; names && i < eh->e_shnum; i++) {
        const Elf64_Shdr *sh = at(f, eh->e_shoff + (uint64_t)i * sizeof(*sh), sizeof(*sh));
        if (sh)
            look_section(f, sh, names, x);
    }
}

static void look(const struct file *f, struct elf_facts *x)
{
    const Elf64_Ehdr *eh = at(f, 0, 20);
    x->elf = eh && memcmp(eh->e_ident, ELFMAG, SELFMAG) == 0;
    if (!x->elf)
        return;
    x->this_class = eh->e_ident[EI_CLASS] == ELFCLASS64 && eh->e_ident[EI_DATA] == ELFDATA2LSB;
    x->machine = eh->e_machine;
    x->this_machine = x->machine == THIS_MACHINE;
    if (x->this_class)
        look64(f, x);
}

int elf_look(const char *path, struct elf_facts *x)
{
    struct stat st;
    memset(x, 0, sizeof(*x));
    int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
    if (fd < 0)
        return errno;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        err = ENOEXEC;
    void *p = err || st.st_size == 0
                  ? MAP_FAILED
                  : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p != MAP_FAILED) {
        struct file f = {p, (size_t)st.st_size};
        look(&f, x);
        munmap(p, f.n);
    }
    close(fd);
    return err;
}
