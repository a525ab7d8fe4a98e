/* Sessions of HTTP requests to a server on loopback, many at a time, by one thread that waits for nothing: what wrk cannot do.
 *
 *   client PORT AT_ONCE SECONDS COUNT fresh|kept < REQUESTS
 *
 * A session makes the requests on standard input one after another, which are bytes as they go out, each ended by a byte 0.
 * Of what is in them, {n} becomes the number of the session, from 1, and {token} the `client_token` of an answer before.
 * With `fresh` each session has a connection of its own and closes it; with `kept` the next session goes on with it.
 * It ends after so many seconds, or once COUNT sessions are through (0: no limit), and prints one line of JSON. An answer that
 * is no 200 or 204 ends the program with an error that tells the status, and never what was asked or answered. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MOST_REQUESTS = 8, MOST_AT_ONCE = 1024, LONGEST = 65536, LONGEST_TOKEN = 512 };

struct session {
    int socket, step;
    long number;
    double begun;
    size_t sent, to_send, got;
    char token[LONGEST_TOKEN], out[LONGEST], in[LONGEST];
};

static char *requests[MOST_REQUESTS];
static int request_count, loop, is_fresh, alive;
static long next_number = 1, most_sessions, finished, room;
static float *seconds_taken;
static double end;
static struct sockaddr_in server;

static void fail(const char *what, long detail) {
    fprintf(stderr, "client: %s (%ld)\n", what, detail);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void await(struct session *s, int what, int operation) {
    struct epoll_event event = {.events = what, .data.ptr = s};
    if (epoll_ctl(loop, operation, s->socket, &event)) fail("epoll_ctl", errno);
}

static void append(struct session *s, const char *text, size_t length) {
    if (s->to_send + length > LONGEST) fail("a request is too long", LONGEST);
    memcpy(s->out + s->to_send, text, length);
    s->to_send += length;
}

static void prepare(struct session *s) {
    char number[24];
    s->sent = s->to_send = s->got = 0;
    for (const char *from = requests[s->step]; *from;) {
        if (!strncmp(from, "{n}", 3)) {
            append(s, number, snprintf(number, sizeof number, "%ld", s->number));
            from += 3;
        } else if (!strncmp(from, "{token}", 7)) {
            append(s, s->token, strlen(s->token));
            from += 7;
        } else append(s, from++, 1);
    }
}

static void push(struct session *s) {
    ssize_t count = send(s->socket, s->out + s->sent, s->to_send - s->sent, MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == ENOTCONN)) count = 0;
    if (count < 0) fail("a connection broke while a request went out", errno);
    s->sent += count;
    await(s, s->sent < s->to_send ? EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
}

static void open_connection(struct session *s) {
    int one = 1;
    s->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->socket < 0) fail("socket", errno);
    setsockopt(s->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    await(s, EPOLLOUT, EPOLL_CTL_ADD);
    if (connect(s->socket, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) fail("connect", errno);
}

static void close_connection(struct session *s) {
    close(s->socket);
    s->socket = -1;
}

/* Where there is time left and a session to make. */
static void begin(struct session *s) {
    s->begun = now();
    if (s->begun >= end || (most_sessions && next_number > most_sessions)) {
        if (s->socket >= 0) close_connection(s);
        alive--;
        return;
    }
    s->number = next_number++;
    s->step = 0;
    prepare(s);
    if (s->socket < 0) open_connection(s);
    else push(s);
}

/* The length of the whole answer, or 0 while that is not known. */
static size_t length_of_answer(struct session *s) {
    char *body = strstr(s->in, "\r\n\r\n"), *length;
    if (!body) return 0;
    body += 4;
    long status = strncmp(s->in, "HTTP/1.1 ", 9) ? 0 : strtol(s->in + 9, NULL, 10);
    if (status != 200 && status != 204) fail("an answer had the status in brackets", status);
    length = strcasestr(s->in, "\r\ncontent-length:");
    if (length && length < body) return body - s->in + strtoul(length + 17, NULL, 10);
    if (status != 204) fail("an answer had no Content-Length", status);
    return body - s->in;
}

static void remember_token(struct session *s) {
    static const char key[] = "\"client_token\":\"";
    char *token = strstr(s->in, key);
    if (!token) return;
    token += sizeof key - 1;
    size_t length = strcspn(token, "\"");
    if (length >= LONGEST_TOKEN) fail("a token is too long", length);
    memcpy(s->token, token, length);
    s->token[length] = 0;
}

static void finish(struct session *s) {
    if (finished == room) {
        room = room ? 2 * room : 65536;
        if (!(seconds_taken = realloc(seconds_taken, room * sizeof *seconds_taken))) fail("no memory", room);
    }
    seconds_taken[finished++] = now() - s->begun;
    if (is_fresh) close_connection(s);
    begin(s);
}

static void pull(struct session *s) {
    ssize_t count = recv(s->socket, s->in + s->got, LONGEST - 1 - s->got, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) fail("the server closed a connection before it answered", count < 0 ? errno : 0);
    s->got += count;
    s->in[s->got] = 0;
    size_t length = length_of_answer(s);
    if (length >= LONGEST) fail("an answer is too long", length);
    if (!length || s->got < length) return;
    remember_token(s);
    if (++s->step == request_count) return finish(s);
    prepare(s);
    push(s);
}

static void read_requests(void) {
    for (size_t size = 0; getdelim(&requests[request_count], &size, 0, stdin) > 0; size = 0)
        if (++request_count == MOST_REQUESTS) fail("one session makes fewer requests than", MOST_REQUESTS);
    if (!request_count) fail("no request on standard input", 0);
}

static int order(const void *a, const void *b) {
    return (*(const float *)a > *(const float *)b) - (*(const float *)a < *(const float *)b);
}

int main(int count, char **given) {
    if (count != 6) fail("usage: client PORT AT_ONCE SECONDS COUNT fresh|kept < REQUESTS", count);
    int at_once = atoi(given[2]);
    if (at_once < 1 || at_once > MOST_AT_ONCE) fail("AT_ONCE must be 1 to", MOST_AT_ONCE);
    read_requests();
    server = (struct sockaddr_in){AF_INET, htons(atoi(given[1])), {htonl(INADDR_LOOPBACK)}, {0}};
    most_sessions = atol(given[4]);
    is_fresh = !strcmp(given[5], "fresh");
    loop = epoll_create1(EPOLL_CLOEXEC);
    double begun = now();
    end = begun + atof(given[3]);
    struct session *sessions = calloc(at_once, sizeof *sessions);
    if (!sessions || loop < 0) fail("no memory", errno);
    for (int i = 0; i < at_once; i++, alive++) sessions[i].socket = -1;
    for (int i = 0; i < at_once; i++) begin(&sessions[i]);
    for (int quiet = 0; alive > 0;) {
        struct epoll_event events[64];
        int ready = epoll_wait(loop, events, 64, 1000);
        quiet = ready > 0 ? 0 : quiet + 1;
        if (quiet == 30) fail("no answer came for 30 s; sessions that wait", alive);
        for (int i = 0; i < ready; i++) {
            struct session *s = events[i].data.ptr;
            if (s->sent < s->to_send) push(s);
            else pull(s);
        }
    }
    double taken = now() - begun;
    if (!finished) fail("no session came to its end", 0);
    qsort(seconds_taken, finished, sizeof *seconds_taken, order);
    printf("{\"count\": %ld, \"seconds\": %.4f, \"p50\": %.6f, \"p99\": %.6f}\n", finished, taken,
        seconds_taken[(finished - 1) / 2], seconds_taken[(long)((finished - 1) * 0.99)]);
}
