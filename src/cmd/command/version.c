#include <curl/curl.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "cmd/command/command.h"

static int run(int argc, char **argv)
{
    printf("nonagon %s\n", NONAGON_VERSION);
    if (argc > 1) {
        printf("libuv %s\nSQLite %s\n%s\nlibcurl %s\n", uv_version_string(), sqlite3_libversion(),
               OpenSSL_version(OPENSSL_VERSION), curl_version_info(CURLVERSION_NOW)->version);
    }
    return EXIT_SUCCESS;
}

const struct command cmd_version = {
    .name = "version",
    .summary = "print the version (with --all, also the libraries')",
    .usage = "usage: nonagon version [--all]\n",
    .run = run,
};
