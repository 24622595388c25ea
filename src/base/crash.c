/* crash: the handler and the parts of its report. */
#include "base/crash.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/crash_int.h"
#include "base/log.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* The kernel's frame takes up to 12 KiB with all vector registers, the unwinder a few more. */
#define STACK_SIZE ((size_t)128 << 10)
/* Deeper than anything here; what recurses without end shows how in these. */
#define FRAMES_MAX 64
/* Of the report's text, before it is written. */
#define TEXT_SIZE 2048

static const struct {
    int number;
    const char *name;
} signals[] = {{SIGSEGV, "SIGSEGV"},
               {SIGBUS, "SIGBUS"},
               {SIGFPE, "SIGFPE"},
               {SIGILL, "SIGILL"},
               {SIGABRT, "SIGABRT"}};
#define SIGNALS (sizeof signals / sizeof signals[0])

struct reporter {
    void (*report)(void *context);
    void *context;
};

static struct {
    bool started;
    const char *version;
    struct reporter reporters[CRASH_REPORTERS_MAX];
    int reporter_count;
    _Atomic(const char *) condition; /* of the check that failed */
    const char *file;
    int line;
    /* From here on the report's own. */
    atomic_flag taken;
    pthread_t thread; /* that reports */
    int number;       /* its signal */
    int descriptor;
    sigjmp_buf next_part; /* where to go on when a part crashes */
    volatile sig_atomic_t in_part;
    char text[TEXT_SIZE];
    size_t size;
} crash = {.taken = ATOMIC_FLAG_INIT};

static _Thread_local void *second_stack;

/* Printing. */

static void flush(void) {
    for (size_t done = 0; done < crash.size;) {
        ssize_t written = write(crash.descriptor, crash.text + done, crash.size - done);
        if (written <= 0 && errno != EINTR) {
            break;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    crash.size = 0;
}

static void print_byte(char c) {
    if (crash.size == TEXT_SIZE) {
        flush();
    }
    crash.text[crash.size++] = c;
}

void crash_print(const char *text) {
    for (; *text != '\0'; text++) {
        print_byte(*text);
    }
}

void crash_print_number(int64_t number) {
    char digits[24];
    size_t at = sizeof digits;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    crash_print(number < 0 ? "-" : "");
    crash_print(digits + at);
}

static void print_digits(uint64_t number, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        print_byte("0123456789abcdef"[number >> (4 * i) & 15]);
    }
}

void crash_print_hex(uint64_t number) {
    int digits = 1;
    while (digits < 16 && number >> (4 * digits) != 0) {
        digits++;
    }
    crash_print("0x");
    print_digits(number, digits);
}

void crash_print_quoted(struct bytes text, size_t max) {
    print_byte('"');
    for (size_t i = 0; i < text.size && i < max; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\') {
            crash_print("\\x");
            print_digits(c, 2);
        } else {
            print_byte((char)c);
        }
    }
    crash_print(text.size > max ? "\"..." : "\"");
}

/* Parts of the report. */

struct happening {
    int number;
    const siginfo_t *info;
    const ucontext_t *context;
};

static const char *signal_name(int number) {
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signals[i].number == number) {
            return signals[i].name;
        }
    }
    return "a signal";
}

static void print_what(const struct happening *happening) {
    char thread[16] = {0};
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    prctl(PR_GET_NAME, thread);
    crash_print("\n=== LARDER CRASH REPORT: start. Please send all of it to the developers ===\n");
    crash_print("Larder ");
    crash_print(crash.version);
    crash_print(", process ");
    crash_print_number(getpid());
    crash_print(", thread ");
    crash_print_number(gettid());
    crash_print(" (");
    crash_print(thread);
    crash_print("), unix time ");
    crash_print_number(now.tv_sec);
    crash_print("\nsignal: ");
    crash_print_number(happening->number);
    crash_print(" (");
    crash_print(signal_name(happening->number));
    crash_print("), code ");
    crash_print_number(happening->info->si_code);
    if (happening->info->si_code > 0) {
        crash_print(", address ");
        crash_print_hex((uint64_t)(uintptr_t)happening->info->si_addr);
    } else {
        crash_print(", sent by process ");
        crash_print_number(happening->info->si_pid);
    }
    print_byte('\n');
    const char *condition = atomic_load_explicit(&crash.condition, memory_order_acquire);
    if (condition != NULL) {
        crash_print("failed check: ");
        crash_print(condition);
        crash_print(" (");
        crash_print(crash.file);
        crash_print(":");
        crash_print_number(crash.line);
        crash_print(")\n");
    }
    flush();
}

static void print_register(const char *name, uint64_t value, int index) {
    crash_print(index % 4 == 0 ? (index == 0 ? "registers:\n  " : "\n  ") : "  ");
    crash_print(name);
    crash_print("=");
    print_digits(value, 16);
}

#if defined(__x86_64__)
static uintptr_t program_counter(const ucontext_t *context) {
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static void print_registers(const struct happening *happening) {
    static const struct {
        const char *name;
        int at;
    } names[] = {{"rip", REG_RIP}, {"rsp", REG_RSP}, {"rbp", REG_RBP}, {"rax", REG_RAX},
                 {"rbx", REG_RBX}, {"rcx", REG_RCX}, {"rdx", REG_RDX}, {"rsi", REG_RSI},
                 {"rdi", REG_RDI}, {"r8 ", REG_R8},  {"r9 ", REG_R9},  {"r10", REG_R10},
                 {"r11", REG_R11}, {"r12", REG_R12}, {"r13", REG_R13}, {"r14", REG_R14},
                 {"r15", REG_R15}, {"efl", REG_EFL}, {"err", REG_ERR}, {"cr2", REG_CR2}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        print_register(names[i].name, (uint64_t)happening->context->uc_mcontext.gregs[names[i].at],
                       (int)i);
    }
    print_byte('\n');
    flush();
}
#elif defined(__aarch64__)
static uintptr_t program_counter(const ucontext_t *context) {
    return (uintptr_t)context->uc_mcontext.pc;
}

static void print_registers(const struct happening *happening) {
    const mcontext_t *registers = &happening->context->uc_mcontext;
    char name[] = "x00";
    print_register("pc ", registers->pc, 0);
    print_register("sp ", registers->sp, 1);
    print_register("pst", registers->pstate, 2);
    print_register("adr", registers->fault_address, 3);
    for (int i = 0; i < 31; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        print_register(name, registers->regs[i], 4 + i);
    }
    print_byte('\n');
    flush();
}
#else
static uintptr_t program_counter(const ucontext_t *context) {
    (void)context;
    return 0;
}

static void print_registers(const struct happening *happening) {
    (void)happening;
}
#endif

/* A return address may be the beginning of the next function, when the call never returns. */
static void print_frame(int index, const void *address) {
    struct crash_symbol symbol;
    crash_print("  #");
    crash_print_number(index);
    crash_print(" ");
    crash_print_hex((uint64_t)(uintptr_t)address);
    if (crash_find_symbol((uintptr_t)address - (index > 0), &symbol)) {
        crash_print(" ");
        crash_print(symbol.name == NULL ? "?" : symbol.name);
        if (symbol.name != NULL) {
            crash_print("+");
            crash_print_hex(symbol.offset);
        }
        crash_print(" (");
        crash_print(symbol.module);
        crash_print("+");
        crash_print_hex(symbol.module_offset);
        crash_print(")");
    }
    print_byte('\n');
}

/* Frames above the place where it happened are the handler's. Where the unwinder did not get that
 * far, because the program counter points nowhere, all are shown. */
static void print_backtrace(const struct happening *happening) {
    void *frames[FRAMES_MAX];
    uintptr_t place = program_counter(happening->context);
    int count = backtrace(frames, FRAMES_MAX);
    int first = 0;
    while (first < count && (uintptr_t)frames[first] != place) {
        first++;
    }
    crash_print("backtrace:\n");
    if (first == count) {
        first = 0;
        print_frame(0, (const void *)place);
        crash_print("  found from the handler on:\n");
    }
    for (int i = first; i < count; i++) {
        print_frame(i - first, frames[i]);
    }
    flush();
}

/* Runs a part; one that crashes comes back here. */
#define PART(call)                                                                                 \
    do {                                                                                           \
        crash.in_part = 1;                                                                         \
        if (sigsetjmp(crash.next_part, 1) == 0) {                                                  \
            call;                                                                                  \
        } else {                                                                                   \
            crash_print("\n(this part of the report crashed)\n");                                  \
        }                                                                                          \
        crash.in_part = 0;                                                                         \
        flush();                                                                                   \
    } while (0)

static void report(const struct happening *happening) {
    PART(print_what(happening));
    PART(print_registers(happening));
    PART(print_backtrace(happening));
    for (volatile int i = 0; i < crash.reporter_count; i++) {
        PART(crash.reporters[i].report(crash.reporters[i].context));
    }
    crash_print("=== LARDER CRASH REPORT: end ===\n");
    flush();
}

static void die(int number) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t set;
    sigaction(number, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    kill(getpid(), number);
    /* Blocked here, it may go to another thread; the process ends all the same. */
    raise(number);
    _exit(128 + number);
}

/* The report hangs. */
static void on_alarm(int number) {
    (void)number;
    die(crash.number);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    if (atomic_flag_test_and_set(&crash.taken)) {
        if (pthread_equal(crash.thread, pthread_self()) && crash.in_part) {
            siglongjmp(crash.next_part, 1);
        }
        if (pthread_equal(crash.thread, pthread_self())) {
            die(crash.number);
        }
        for (;;) { /* until the thread that reports ends the process */
            pause();
        }
    }
    crash.thread = pthread_self();
    crash.number = number;
    crash.descriptor = log_raw_descriptor();
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    alarm(CRASH_SECONDS_MAX);
    struct happening happening = {.number = number, .info = info, .context = context};
    report(&happening);
    die(number);
}

/* Installing. */

bool crash_is_available(void) {
    return !SANITIZED;
}

void crash_enable(bool enabled) {
    if (SANITIZED || !crash.started) {
        return;
    }
    struct sigaction action = {.sa_handler = SIG_DFL};
    if (enabled) {
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i].number, &action, NULL);
    }
}

void crash_start(const char *version) {
    crash.version = version;
    crash.started = true;
    if (SANITIZED) {
        return;
    }
    /* The unwinder is loaded at its first use, which allocates. */
    void *frames[2];
    (void)backtrace(frames, 2);
    crash_thread_start();
    crash_enable(true);
}

void crash_thread_start(void) {
    if (SANITIZED || second_stack != NULL) {
        return;
    }
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaddset(&set, signals[i].number);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    void *at = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return; /* then the first stack must do */
    }
    stack_t stack = {.ss_sp = at, .ss_size = STACK_SIZE};
    if (sigaltstack(&stack, NULL) != 0) {
        munmap(at, STACK_SIZE);
        return;
    }
    second_stack = at;
}

void crash_thread_end(void) {
    if (second_stack != NULL) {
        stack_t stack = {.ss_flags = SS_DISABLE};
        sigaltstack(&stack, NULL);
        munmap(second_stack, STACK_SIZE);
        second_stack = NULL;
    }
}

void crash_on_report(void (*report_more)(void *context), void *context) {
    if (crash.reporter_count < CRASH_REPORTERS_MAX) {
        crash.reporters[crash.reporter_count++] =
            (struct reporter){.report = report_more, .context = context};
    }
}

void crash_note_check(const char *condition, const char *file, int line) {
    crash.file = file;
    crash.line = line;
    atomic_store_explicit(&crash.condition, condition, memory_order_release);
}
