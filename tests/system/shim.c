// Preloaded into a node by tests: a clock that is wrong and a disk that cannot sync.
// TROUPE_SHIM names a folder: `clock` holds an offset in seconds, `no_sync` makes each sync fail while it is there.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char* in_folder(char* buffer, size_t size, const char* name) {
    const char* folder = getenv("TROUPE_SHIM");
    snprintf(buffer, size, "%s/%s", folder ? folder : "/nonexistent", name);
    return buffer;
}

static int sync_fails(void) {
    char path[4096];
    return access(in_folder(path, sizeof path, "no_sync"), F_OK) == 0;
}

int fdatasync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (sync_fails()) {
        errno = EIO;
        return -1;
    }
    return real(file);
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (sync_fails()) {
        errno = EIO;
        return -1;
    }
    return real(file);
}

int clock_gettime(clockid_t which, struct timespec* out) {
    static int (*real)(clockid_t, struct timespec*);
    if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
    const int result = real(which, out);
    if (which == CLOCK_REALTIME) {
        static time_t read_at;
        static long offset;
        struct timespec now;
        real(CLOCK_MONOTONIC, &now);
        if (now.tv_sec != read_at) {  // once a second is enough
            read_at = now.tv_sec;
            char path[4096];
            char text[32] = "";
            const int file = open(in_folder(path, sizeof path, "clock"), O_RDONLY | O_CLOEXEC);
            if (file >= 0) {
                const ssize_t length = read(file, text, sizeof text - 1);
                text[length > 0 ? length : 0] = 0;
                close(file);
                offset = atol(text);
            }
        }
        out->tv_sec += offset;
    }
    return result;
}
