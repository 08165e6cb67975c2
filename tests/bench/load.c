/* The load generator: many WebSocket clients in one process and one epoll loop, cheap enough to measure with.
 *
 *   load PORT SECONDS WARM_UP_S MODE < clients
 *
 * Each line of standard input is one client: flags, a space, its request target, and after a tab the text message
 * that it sends once it is open, if any. Flags:
 *   r  reads and counts bytes and frames     s  reads, takes updates apart: rows and latency
 *   m  mute: reads nothing once it is open   z  reads, and offers permessage-deflate as browsers do
 * MODE is `steady` (open all, warm up, measure) or `arrive` (measure from the first connect until each client
 * has its first data frame). It prints "start" when measuring begins, then a line of JSON. Latency is from the
 * stamp in `bid_size`, microseconds of the monotonic clock, to the moment of reading.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE (1 << 18)
#define STEP_US 10
#define STEPS 1000000 /* latencies up to ten seconds */
#define CONNECTING_AT_ONCE 1000

enum state { WAITING, CONNECTING, UPGRADING, OPEN, CLOSED };

struct client {
    int fd;
    enum state state;
    char flag;
    char *target, *message;
    unsigned char *kept; /* the beginning of a frame whose end has not come */
    size_t kept_size, kept_room;
    int answered;
};

static struct client *clients;
static int count, opened, answered, epoll, port;
static int measuring;
static uint64_t bytes, frames, rows, sampled_bytes, snapshots, updates, compressed, closed, codes[5000], refused;
static uint64_t latency_sum, latency_count, latency_max;
static uint32_t latencies[STEPS + 1];
static unsigned char input[READ_SIZE];

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void end(struct client *c) {
    if (c->state == CLOSED) return;
    c->state = CLOSED;
    close(c->fd);
    closed++;
}

static void write_all(struct client *c, const void *data, size_t size) {
    if (send(c->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) end(c); /* small: the kernel takes it whole */
}

static void write_frame(struct client *c, int opcode, const void *payload, size_t size) {
    unsigned char frame[65536 + 14] = {0x80 | opcode};
    size_t at = 2;
    if (size < 126) {
        frame[1] = 0x80 | size;
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = size >> 8;
        frame[3] = size;
        at = 4;
    }
    memset(frame + at, 0, 4); /* a mask of zeros changes nothing */
    memcpy(frame + at + 4, payload, size);
    write_all(c, frame, at + 4 + size);
}

static void begin(struct client *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) fail("socket");
    if (c->flag == 'm') { /* a mute one is soon full */
        int size = 8192;
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) fail("connect");
    c->state = CONNECTING;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl");
}

static void ask(struct client *c) {
    static char head[16384];
    int size = snprintf(
        head, sizeof head,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        c->target, port, c->flag == 'z' ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "");
    write_all(c, head, size);
    c->state = UPGRADING;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void take_rows(const unsigned char *text, size_t size, uint64_t now) {
    const char key[] = "\"bid_size\":";
    const unsigned char *end = text + size;
    while ((text = memmem(text, end - text, key, sizeof key - 1))) {
        text += sizeof key - 1;
        uint64_t stamp = strtoull((const char *)text, NULL, 10);
        uint64_t latency = now > stamp ? now - stamp : 0, step = latency / STEP_US;
        latencies[step < STEPS ? step : STEPS]++;
        latency_sum += latency;
        latency_count++;
        if (latency > latency_max) latency_max = latency;
        rows++;
    }
}

static void take(struct client *c, int first, unsigned char *payload, size_t size, uint64_t now) {
    int opcode = first & 15, data = 0;
    if (opcode == 9) {
        write_frame(c, 10, payload, size);
        return;
    }
    if (opcode == 8) {
        int code = size >= 2 ? payload[0] << 8 | payload[1] : 1005;
        codes[code < 5000 ? code : 0]++;
        end(c);
        return;
    }
    if (first & 0x40) {
        compressed++;
        data = 1;
    } else if (size > 18) {
        data = !memcmp(payload, "{\"type\":\"snapshot\"", 18) ? 1 : !memcmp(payload, "{\"type\":\"update\"", 16) ? 2 : 0;
    }
    if (data == 1) snapshots++;
    if (data == 2) updates++;
    if (data && !c->answered) {
        c->answered = 1;
        answered++;
    }
    if (measuring) {
        frames++;
        if (data == 2 && c->flag == 's') {
            unsigned char after = payload[size]; /* strtoull stops there */
            payload[size] = 0;
            take_rows(payload, size, now);
            payload[size] = after;
        }
    }
}

/* Take whole frames; returns how many bytes they were. */
static size_t parse(struct client *c, unsigned char *data, size_t size, uint64_t now) {
    size_t at = 0;
    while (c->state == OPEN && size - at >= 2) {
        size_t length = data[at + 1] & 127, start = at + 2;
        if (length == 126) {
            if (size - at < 4) break;
            length = data[at + 2] << 8 | data[at + 3];
            start = at + 4;
        } else if (length == 127) {
            if (size - at < 10) break;
            length = 0;
            for (int i = 2; i < 10; i++) length = length << 8 | data[at + i];
            start = at + 10;
        }
        if (size - start < length || start > size) break;
        take(c, data[at], data + start, length, now);
        at = start + length;
    }
    return at;
}

static void keep(struct client *c, const unsigned char *data, size_t size) {
    if (c->kept_size + size + 1 > c->kept_room) {
        c->kept_room = (c->kept_size + size) * 2 + 1;
        c->kept = realloc(c->kept, c->kept_room);
        if (!c->kept) fail("realloc");
    }
    memcpy(c->kept + c->kept_size, data, size);
    c->kept_size += size;
}

static void taken(struct client *c, unsigned char *data, size_t size, uint64_t now) {
    if (c->kept_size) {
        keep(c, data, size);
        size_t used = parse(c, c->kept, c->kept_size, now);
        memmove(c->kept, c->kept + used, c->kept_size - used);
        c->kept_size -= used;
    } else {
        size_t used = parse(c, data, size, now);
        if (used < size) keep(c, data + used, size - used);
    }
    if (!c->kept_size && c->kept) {
        free(c->kept);
        c->kept = NULL;
        c->kept_room = 0;
    }
}

static void opens(struct client *c, unsigned char *data, size_t size, uint64_t now) {
    keep(c, data, size);
    c->kept[c->kept_size] = 0;
    unsigned char *body = memmem(c->kept, c->kept_size, "\r\n\r\n", 4);
    if (!body) return;
    if (c->kept_size < 12 || memcmp(c->kept + 9, "101", 3)) {
        if (!refused++) fprintf(stderr, "load: refused: %.200s\n", c->kept);
        end(c);
        return;
    }
    c->state = OPEN;
    opened++;
    size_t left = c->kept_size - (body + 4 - c->kept);
    unsigned char *rest = malloc(left + 1);
    memcpy(rest, body + 4, left);
    c->kept_size = 0;
    if (c->message) write_frame(c, 1, c->message, strlen(c->message));
    if (c->flag == 'm') epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
    if (c->flag != 'm' && left) taken(c, rest, left, now);
    free(rest);
}

static void turn(int timeout_ms) {
    static struct epoll_event events[512];
    int n = epoll_wait(epoll, events, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct client *c = events[i].data.ptr;
        if (c->state == CLOSED) continue;
        if (c->state == CONNECTING) {
            ask(c);
            continue;
        }
        ssize_t size = recv(c->fd, input, READ_SIZE - 1, 0);
        if (size < 0 && errno == EAGAIN) continue;
        if (size <= 0) {
            end(c);
            continue;
        }
        uint64_t now = now_us();
        if (measuring) {
            bytes += size;
            if (c->flag == 's') sampled_bytes += size;
        }
        if (c->state == UPGRADING)
            opens(c, input, size, now);
        else
            taken(c, input, size, now);
    }
}

static double percentile(double share) {
    uint64_t wanted = latency_count * share, seen = 0;
    for (int i = 0; i <= STEPS; i++)
        if ((seen += latencies[i]) > wanted) return i * (STEP_US / 1000.0);
    return 0;
}

static void read_clients(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int capacity = 0;
    while ((size = getline(&line, &room, stdin)) > 2) {
        if (count == capacity) {
            capacity = capacity ? capacity * 2 : 1024;
            clients = realloc(clients, capacity * sizeof *clients);
        }
        line[size - 1] = 0;
        struct client *c = &clients[count++];
        memset(c, 0, sizeof *c);
        c->flag = line[0];
        c->target = strdup(line + 2);
        if ((c->message = strchr(c->target, '\t'))) *c->message++ = 0;
    }
}

static void report(double elapsed, double cpu) {
    int sampled = 0, readers = 0;
    for (int i = 0; i < count; i++) {
        sampled += clients[i].flag == 's';
        readers += clients[i].flag != 'm';
    }
    printf("{\"seconds\":%.6f,\"load_cpu\":%.4f,\"clients\":%d,\"readers\":%d,\"sampled\":%d,\"opened\":%d,", elapsed,
           cpu / elapsed, count, readers, sampled, opened);
    printf("\"rows\":%.1f,\"frames\":%lu,\"bytes\":%lu,\"sampled_bytes\":%lu,\"snapshots\":%lu,\"updates\":%lu,",
           sampled ? (double)rows / sampled * readers : 0.0, frames, bytes, sampled_bytes, snapshots, updates);
    printf("\"compressed\":%lu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,\"mean_ms\":%.3f,\"closed\":%lu,\"codes\":{",
           compressed, percentile(0.5), percentile(0.99), latency_max / 1000.0,
           latency_count ? latency_sum / 1000.0 / latency_count : 0.0, closed);
    const char *comma = "";
    for (int code = 0; code < 5000; code++)
        if (codes[code]) {
            printf("%s\"%d\":%lu", comma, code, codes[code]);
            comma = ",";
        }
    printf("}}\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 5) return fprintf(stderr, "usage: load PORT SECONDS WARM_UP_S steady|arrive < clients\n"), 2;
    port = atoi(argv[1]);
    double seconds = atof(argv[2]), warm_up = atof(argv[3]);
    int arrive = !strcmp(argv[4], "arrive");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    read_clients();
    epoll = epoll_create1(0);
    uint64_t started = now_us();
    double cpu = cpu_s();
    if (arrive) {
        measuring = 1;
        puts("start");
        fflush(stdout);
    }
    uint64_t deadline = now_us() + 60000000;
    for (int begun = 0; (arrive ? answered : opened) + (int)closed < count;) {
        while (begun < count && begun - opened - (int)closed < CONNECTING_AT_ONCE) begin(&clients[begun++]);
        turn(100);
        if (now_us() > deadline) return fprintf(stderr, "load: only %d of %d came in\n", opened, count), 1;
    }
    if (!arrive) {
        for (uint64_t until = now_us() + warm_up * 1e6; now_us() < until;) turn(10);
        puts("start");
        fflush(stdout);
        started = now_us();
        cpu = cpu_s();
        measuring = 1;
        for (uint64_t until = started + seconds * 1e6; now_us() < until;) turn(10);
    }
    report((now_us() - started) / 1e6, cpu_s() - cpu);
    return 0;
}
