/*
 * Drives the image store for the integration tests; one command, results as lines "ok …" or "err
 * CODE MESSAGE". pull DIR POLICY AUTHS REF...     pulls all at once; AUTHS is a docker config file
 * or "-" cancel DIR REF                   starts twice, cancels one drop DIR REF starts, then
 * closes the store resolve AUTHS TIMEOUT_MS REF find DIR REF                     what is there
 * without pulling import DIR ARCHIVE [NAME] watch DIR REF                    waits until the name
 * is found, says "waiting" first
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cluster/image/image.h"

static struct loop *loop;
static int pending;
static struct image_auth *auths;
static size_t n_auths;

static void print_image(const struct image *i)
{
    printf("ok %s %s %lld", i->name, i->digest, (long long)i->bytes);
    for (size_t k = 0; k < i->n_layers; k++)
        printf(" %s", i->layers[k]);
    printf("\n");
}

static void finish_one(void)
{
    if (--pending == 0)
        loop_stop(loop);
}

static void pulled(void *ctx, const struct image *img, const struct err *why)
{
    if (img)
        print_image(img);
    else
        printf("err %d %s\n", why->code, why->msg);
    finish_one();
}

static void resolved(void *ctx, const char *digest, const struct err *why)
{
    if (digest)
        printf("ok %s\n", digest);
    else
        printf("err %d %s\n", why->code, why->msg);
    finish_one();
}

static void die(const struct err *e)
{
    printf("err %d %s\n", e->code, e->msg);
    exit(1);
}

static void read_auths(const char *path)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    struct err e = {0};
    FILE *f = strcmp(path, "-") == 0 ? NULL : fopen(path, "r");
    int c;

    if (!f)
        return;
    while ((c = fgetc(f)) != EOF)
        buf_addc(&b, (char)c);
    fclose(f);
    if (image_auths_parse(buf_z(&b), &auths, &n_auths, &e) < 0)
        die(&e);
}

static struct image_store *open_store(const char *dir)
{
    struct err e = {0};
    struct image_store *s = image_store_open(loop, dir, &e);

    if (!s)
        die(&e);
    return s;
}

static void cmd_pull(char **a, int n)
{
    struct image_store *s = open_store(a[0]);
    enum image_policy policy = strcmp(a[1], "always") == 0  ? IMAGE_ALWAYS
                               : strcmp(a[1], "never") == 0 ? IMAGE_NEVER
                                                            : IMAGE_IF_NOT_PRESENT;

    read_auths(a[2]);
    for (int i = 3; i < n; i++, pending++)
        image_pull_start(s, a[i], policy, auths, n_auths, pulled, NULL);
    loop_run(loop);
    image_store_close(s);
}

static void never(void *ctx, const struct image *img, const struct err *why)
{
    printf("err 0 called back after cancelling\n");
}

static void cmd_cancel(char **a)
{
    struct image_store *s = open_store(a[0]);

    pending = 1;
    image_pull_cancel(image_pull_start(s, a[1], IMAGE_ALWAYS, NULL, 0, never, NULL));
    struct image_pull *p = image_pull_start(s, a[1], IMAGE_ALWAYS, NULL, 0, never, NULL);
    image_pull_start(s, a[1], IMAGE_ALWAYS, NULL, 0, pulled, NULL);
    image_pull_cancel(p);
    image_pull_cancel(image_pull_start(s, "not a reference", IMAGE_ALWAYS, NULL, 0, never, NULL));
    loop_run(loop);
    image_store_close(s);
}

static void stop(void *ctx)
{
    loop_stop(loop);
}

static void cmd_drop(char **a)
{
    struct image_store *s = open_store(a[0]);
    struct timer *t = timer_new(loop, stop, NULL);

    image_pull_start(s, a[1], IMAGE_ALWAYS, NULL, 0, never, NULL);
    timer_start(t, 20);
    loop_run(loop);
    timer_free(t);
    image_pull_start(s, "not a reference", IMAGE_ALWAYS, NULL, 0, never, NULL);
    image_store_close(s);
    printf("ok\n");
}

static void cmd_find(char **a)
{
    struct image_store *s = open_store(a[0]);
    const struct image *i = image_store_find(s, a[1]);

    if (i)
        print_image(i);
    else
        printf("err 0 absent\n");
    image_store_close(s);
    image_unref(i);
}

struct watching {
    struct image_store *s;
    const char *ref;
    char first[140];
};

static void look(void *ctx)
{
    struct watching *w = ctx;
    const struct image *i = image_store_find(w->s, w->ref);

    if (i && strcmp(i->digest, w->first) != 0) {
        print_image(i);
        loop_stop(loop);
    }
    image_unref(i);
}

static void cmd_watch(char **a)
{
    struct watching w = {.s = open_store(a[0]), .ref = a[1]};
    struct timer *t = timer_new(loop, look, &w);
    const struct image *i = image_store_find(w.s, w.ref);

    if (i)
        snprintf(w.first, sizeof(w.first), "%s", i->digest);
    image_unref(i);
    printf("waiting\n");
    fflush(stdout);
    timer_repeat(t, 5);
    loop_run(loop);
    timer_free(t);
    image_store_close(w.s);
}

static void cmd_import(char **a, int n)
{
    struct err e = {0};
    char *name = NULL;

    if (image_import(a[0], a[1], n > 2 ? a[2] : NULL, &name, &e) < 0)
        die(&e);
    printf("ok %s\n", name);
    free(name);
}

static void cmd_resolve(char **a)
{
    read_auths(a[0]);
    pending = 1;
    image_resolve(loop, a[2], auths, n_auths, (uint64_t)atoi(a[1]), resolved, NULL);
    loop_run(loop);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    const char *cmd = argc > 2 ? argv[1] : "";
    char **a = argv + 2;
    int n = argc - 2;

    loop = loop_new(&e);
    if (!loop)
        die(&e);
    if (strcmp(cmd, "pull") == 0 && n > 3)
        cmd_pull(a, n);
    else if (strcmp(cmd, "cancel") == 0 && n == 2)
        cmd_cancel(a);
    else if (strcmp(cmd, "drop") == 0 && n == 2)
        cmd_drop(a);
    else if (strcmp(cmd, "find") == 0 && n == 2)
        cmd_find(a);
    else if (strcmp(cmd, "watch") == 0 && n == 2)
        cmd_watch(a);
    else if (strcmp(cmd, "import") == 0 && n >= 2)
        cmd_import(a, n);
    else if (strcmp(cmd, "resolve") == 0 && n == 3)
        cmd_resolve(a);
    else
        printf("err 0 unknown command\n");
    loop_free(loop);
    image_auths_free(auths, n_auths);
    return 0;
}
