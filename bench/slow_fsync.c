/* Preloaded into the agent: each flush to disk takes DELAY_MICROSECONDS longer, as on a slow or busy disk. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

#ifndef DELAY_MICROSECONDS
#define DELAY_MICROSECONDS 10000
#endif

static int slow(const char *name, int descriptor)
{
    int (*flush)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    usleep(DELAY_MICROSECONDS);
    return flush(descriptor);
}

int fsync(int descriptor) { return slow("fsync", descriptor); }
int fdatasync(int descriptor) { return slow("fdatasync", descriptor); }
