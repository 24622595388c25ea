/* crash_symbol: the program's own symbol table, which has static functions too, mapped from the
 * program's file when it is first wanted; the dynamic linker knows the rest.
 *
 *     /proc/self/exe:  | ELF header | ... | .symtab: 24 bytes a symbol | .strtab | sections |
 *
 * A stripped program has no table: then there are offsets, for addr2line and the file with the
 * symbols. Reads nothing outside the mapped file. */
#include "base/crash_int.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    bool tried;
    const char *file;
    size_t size;
    const Elf64_Sym *symbols;
    size_t symbol_count;
    const char *texts;
    size_t texts_size;
    uint64_t lowest; /* address that the file gives to the program's beginning */
} table;

static bool inside(uint64_t offset, uint64_t size) {
    return offset <= table.size && size <= table.size - offset;
}

/* Finds .symtab and its texts among the sections. */
static void find_table(void) {
    const Elf64_Ehdr *header = (const void *)table.file;
    if (table.size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 ||
        !inside(header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr)) ||
        !inside(header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr))) {
        return;
    }
    const Elf64_Phdr *segments = (const void *)(table.file + header->e_phoff);
    for (int i = header->e_phnum - 1; i >= 0; i--) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0) {
            table.lowest = segments[i].p_vaddr;
        }
    }
    const Elf64_Shdr *sections = (const void *)(table.file + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum) {
            continue;
        }
        const Elf64_Shdr *texts = &sections[sections[i].sh_link];
        if (inside(sections[i].sh_offset, sections[i].sh_size) && texts->sh_size > 0 &&
            inside(texts->sh_offset, texts->sh_size) &&
            table.file[texts->sh_offset + texts->sh_size - 1] == '\0') {
            table.symbols = (const void *)(table.file + sections[i].sh_offset);
            table.symbol_count = sections[i].sh_size / sizeof(Elf64_Sym);
            table.texts = table.file + texts->sh_offset;
            table.texts_size = texts->sh_size;
        }
    }
}

static void map_program(void) {
    table.tried = true;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &status) == 0 && status.st_size > 0) {
        void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED) {
            table.file = at;
            table.size = (size_t)status.st_size;
            find_table();
        }
    }
    close(fd);
}

/* The function of the program that is so many bytes behind its beginning in memory. */
static void find_in_program(uint64_t offset, struct crash_symbol *symbol) {
    if (!table.tried) {
        map_program();
    }
    uint64_t wanted = offset + table.lowest;
    for (size_t i = 0; i < table.symbol_count; i++) {
        const Elf64_Sym *s = &table.symbols[i];
        uint64_t size = s->st_size > 0 ? s->st_size : 1;
        if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && wanted >= s->st_value &&
            wanted - s->st_value < size && s->st_name < table.texts_size) {
            symbol->name = table.texts + s->st_name;
            symbol->offset = wanted - s->st_value;
            return;
        }
    }
}

bool crash_find_symbol(uintptr_t address, struct crash_symbol *symbol) {
    *symbol = (struct crash_symbol){0};
    Dl_info info;
    Dl_info own;
    if (dladdr((const void *)address, &info) == 0 || info.dli_fname == NULL) {
        return false;
    }
    symbol->module = info.dli_fname;
    symbol->module_offset = address - (uintptr_t)info.dli_fbase;
    /* This function is in the program. */
    if (dladdr((const void *)(uintptr_t)crash_find_symbol, &own) != 0 &&
        own.dli_fbase == info.dli_fbase) {
        find_in_program(symbol->module_offset, symbol);
    } else if (info.dli_sname != NULL) {
        symbol->name = info.dli_sname;
        symbol->offset = address - (uintptr_t)info.dli_saddr;
    }
    return true;
}
