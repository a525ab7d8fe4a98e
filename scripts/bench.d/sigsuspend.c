/* For programs under Valgrind older than 3.20, which changes the mask that it is given in place; Swift's dispatch library has its
 * own in memory that cannot be written. With this in LD_PRELOAD it gets a copy. */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int sigsuspend(const sigset_t *mask) {
    sigset_t copy = *mask;
    return (int)syscall(SYS_rt_sigsuspend, &copy, 8);
}
