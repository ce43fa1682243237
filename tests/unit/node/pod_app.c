/*
 * The program inside the test's containers: does its arguments one after the other.
 *   say TEXT, err TEXT, file PATH (prints it), env NAME, id, write PATH TEXT, exit CODE, serve PORT
 * (200 to anything, until SIGTERM), sleep MS, burn MB, if PATH (ends with 0 unless it exists)
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_term(int signum)
{
    static const char text[] = "terminated\n";
    if (write(1, text, sizeof text - 1) < 0)
        _exit(9);
    _exit(0);
}

static void serve(int port)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 64) < 0)
        _exit(7);
    for (int c; (c = accept(fd, NULL, NULL)) >= 0; close(c)) {
        char text[2048];
        static const char ok[] =
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        static const char bad[] =
            "HTTP/1.1 500 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        ssize_t n = read(c, text, sizeof text - 1);
        int fails = access("/tmp/fail", F_OK) == 0;
        if (n > 0 && write(c, fails ? bad : ok, fails ? sizeof bad - 1 : sizeof ok - 1) < 0)
            continue;
    }
}

static void print_file(const char *path)
{
    char text[4096];
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        perror(path);
        return;
    }
    for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;)
        fwrite(text, 1, (size_t)n, stdout);
    close(fd);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        return;
    }
    fputs(text, f);
    fclose(f);
}

static void burn(size_t mb)
{
    char *p = malloc(mb << 20);
    memset(p, 1, mb << 20);
    printf("burnt %d\n", p[mb]);
}

int main(int argc, char **argv)
{
    signal(SIGTERM, on_term);
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 1; i < argc; i++) {
        const char *what = argv[i], *arg = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(what, "id")) {
            printf("uid=%d gid=%d\n", getuid(), getgid());
            continue;
        }
        i++;
        if (!strcmp(what, "say"))
            puts(arg);
        else if (!strcmp(what, "err"))
            fprintf(stderr, "%s\n", arg);
        else if (!strcmp(what, "file"))
            print_file(arg);
        else if (!strcmp(what, "env"))
            printf("%s=%s\n", arg, getenv(arg) ? getenv(arg) : "(unset)");
        else if (!strcmp(what, "write"))
            write_file(arg, i + 1 < argc ? argv[++i] : "");
        else if (!strcmp(what, "exit"))
            exit(atoi(arg));
        else if (!strcmp(what, "if") && access(arg, F_OK) < 0)
            exit(0);
        else if (!strcmp(what, "serve"))
            serve(atoi(arg));
        else if (!strcmp(what, "sleep"))
            usleep((useconds_t)atoi(arg) * 1000);
        else if (!strcmp(what, "burn"))
            burn((size_t)atoi(arg));
    }
    return 0;
}
