/* `nonagon import`: brings an OCI archive into a data directory's image store, for machines without
 * a registry. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cluster/image/image.h"
#include "cmd/command/command.h"
#include "cmd/env/data_dir.h"
#include "cmd/env/env.h"

static const struct option options[] = {
    {"data-dir", required_argument, NULL, 'd'},
    {"name", required_argument, NULL, 'n'},
    {NULL, 0, NULL, 0},
};

static int run(int argc, char **argv)
{
    const char *data_dir = ENV_DATA_DIR, *name = NULL;
    _cleanup_free_ char *dir = NULL, *imported = NULL;
    struct err e = {0};
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'd')
            data_dir = optarg;
        else if (o == 'n')
            name = optarg;
        else
            return usage_error(&cmd_import, "unknown option");
    }
    if (optind + 1 != argc)
        return usage_error(&cmd_import, "give exactly one archive");
    dir = xasprintf("%s/images", data_dir);
    if (data_dir_make(dir, &e) < 0 || image_import(dir, argv[optind], name, &imported, &e) < 0)
        return fail("%s", e.msg);
    printf("imported %s\n", imported);
    return EXIT_SUCCESS;
}

const struct command cmd_import = {
    .name = "import",
    .summary = "load an image from an OCI or docker archive, without a registry",
    .usage =
        "usage: nonagon import [--data-dir D] [--name REF] ARCHIVE\n\n"
        "  --data-dir D  the data directory of `nonagon up` (default " ENV_DATA_DIR ")\n"
        "  --name REF    the image's name; default: the one in the archive\n\n"
        "ARCHIVE is an OCI image layout (directory or tar) or the output of `docker save`.\n"
        "A running `nonagon up` sees the image at once. Give it a name beginning with dev.local/\n"
        "so that no registry is asked for its digest.\n",
    .run = run,
};
