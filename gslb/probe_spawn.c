/* gslb/probe_spawn.c: starts a command. uv_spawn has no step of ours between fork and exec, and a
 * limit that is set from outside may come when the command has read it. */
#include "probe_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ours is raised for sockets; select() and loops over all descriptors want the usual one. */
static void limit_files(uint64_t files)
{
    struct rlimit l;
    if (!files || getrlimit(RLIMIT_NOFILE, &l))
        return;
    l.rlim_cur = files < l.rlim_max ? (rlim_t)files : l.rlim_max;
    setrlimit(RLIMIT_NOFILE, &l);
}

/* After fork, with every signal blocked: system calls only. What we ignore or catch is nothing to
 * the command, which leads a session and writes to `out` alone. Ends, or tells errno. */
static _Noreturn void become(char *const argv[], char *const env[], int out, uint64_t files,
                             int said)
{
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    setsid();
    /* Any of the two may be one of the three that are replaced. */
    out = fcntl(out, F_DUPFD_CLOEXEC, 3);
    said = fcntl(said, F_DUPFD_CLOEXEC, 3);
    close(0);
    if (open("/dev/null", O_RDWR) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2 && !chdir("/")) {
        limit_files(files);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(argv[0], argv, env);
    }
    int err = errno;
    ssize_t told = write(said, &err, sizeof err);
    _exit(told > 0 ? 127 : 126);
}

/* The pipe closes by itself when the command has become what it is. */
static int hear(int said, pid_t pid)
{
    int err = 0;
    ssize_t n;
    do
        n = read(said, &err, sizeof err);
    while (n < 0 && errno == EINTR);
    if (err)
        waitpid(pid, NULL, 0);
    return err;
}

int probe_spawn(char *const argv[], char *const env[], int out, uint64_t files, pid_t *pid)
{
    sigset_t all, before;
    int said[2];
    if (pipe2(said, O_CLOEXEC))
        return errno;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    *pid = fork();
    int err = *pid < 0 ? errno : 0;
    if (!*pid)
        become(argv, env, out, files, said[1]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(said[1]);
    err = err ? err : hear(said[0], *pid);
    close(said[0]);
    return err;
}
