/*
 * Takes the library for musl as a Java machine does: loads it, and calls native methods. There is no
 * Java for musl to be had as a package everywhere; these methods ask nothing of it.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef int32_t interface_version(void *env, void *class);
typedef int32_t append(void *env, void *class, int32_t kind, int32_t before, void *data,
                       int64_t start, int32_t length, bool direct);

/* HDFS's number of CRC-32C. */
enum { CRC32C = 2 };

static void *symbol(void *library, const char *name) {
    void *address = dlsym(library, name);
    if (address == NULL) {
        fprintf(stderr, "%s\n", dlerror());
    }
    return address;
}

int main(int count, char **arguments) {
    static const char digits[] = "123456789";
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        fprintf(stderr, "%s\n", count == 2 ? dlerror() : "usage: musl LIBRARY");
        return 1;
    }
    interface_version *version = symbol(library, "Java_restripe_Native_interfaceVersion");
    append *crc = symbol(library, "Java_restripe_ChunkChecksum_append");
    if (version == NULL || crc == NULL) {
        return 1;
    }
    void *env = &library; /* Something that is not null; neither looks at it. */
    printf("interface  %d\n", version(env, NULL));
    uint32_t first = (uint32_t)crc(env, NULL, CRC32C, 0, NULL, (intptr_t)digits, 4, true);
    uint32_t whole = (uint32_t)crc(env, NULL, CRC32C, (int32_t)first, NULL,
                                   (intptr_t)(digits + 4), 5, true);
    printf("CRC-32C    %08X\n", whole);
    return whole == 0xE3069283 ? 0 : 1;
}
