/* The C library's socket calls, taken to a simulated host (LD_PRELOAD).
 *
 * A simulated socket is, in the program, one end of a pair of AF_UNIX sockets whose other end the simulator has:
 * a stream for TCP, packets for UDP. So read, write, poll, epoll, dup, fork, exec and close are the kernel's own,
 * and nothing is remembered here: which socket a descriptor is, is in the name that the simulator has bound it to,
 * and every call that is not the kernel's own is one request over a connection of its own (tb/preload/protocol.py
 * has the same numbers). Accepted connections come as descriptors over the listening one.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum call { SOCKET = 1, BIND, LISTEN, ACCEPT, CONNECT, FILLED, GETSOCKNAME, GETPEERNAME, GETSOCKOPT, SETSOCKOPT,
            SENDTO, SHUTDOWN, ENDED, RESOLVE, ACCEPTED };

struct request {
    uint32_t call;
    int32_t a, b, c;
    uint64_t id;
};

struct reply {
    int32_t error, result;
};

/* The largest payload of a datagram, and an address. */
enum { MOST = 65536 + 64 };

static char prefix[80];
static size_t prefix_length;

/* A datagram socket may be among the descriptors: read and write must look. */
static int datagrams;

static uint64_t lookup(int fd, char *kind);

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("FDWIRE_PRELOAD");
    if (name && strlen(name) < sizeof prefix) {
        strcpy(prefix, name);
        prefix_length = strlen(prefix);
    }
    char kind;
    for (int fd = 0; fd < 256 && !datagrams; fd++)
        datagrams = lookup(fd, &kind) && kind == 'd';
    errno = 0;
}

static int fail(int number)
{
    errno = number;
    return -1;
}

/* ---------------------------------------------------------------- the simulator */

/* The number of the simulated socket behind `fd`, and its kind, 's' or 'd'; 0: it is none. */
static uint64_t lookup(int fd, char *kind)
{
    struct sockaddr_un own;
    socklen_t length = sizeof own;
    int before = errno;
    uint64_t id = 0;
    memset(&own, 0, sizeof own);
    if (prefix_length && syscall(SYS_getsockname, fd, &own, &length) == 0 && own.sun_family == AF_UNIX
        && length > offsetof(struct sockaddr_un, sun_path) + 1 + prefix_length + 2 && !own.sun_path[0]
        && !memcmp(own.sun_path + 1, prefix, prefix_length) && own.sun_path[1 + prefix_length] == '/') {
        own.sun_path[sizeof own.sun_path - 1] = 0;
        *kind = own.sun_path[prefix_length + 2];
        id = strtoull(own.sun_path + prefix_length + 3, NULL, 10);
    }
    errno = before;
    return id;
}

/* Ask, and wait for the answer: its result, or -1 and errno. `got`: room for what comes with it, `room` bytes, and then
 * how many came; `passed`: a descriptor that comes with it. A signal ends only calls that `block`. */
static int ask(struct request *request, const struct iovec *parts, int count, void *got, size_t *room, int *passed,
               int block)
{
    struct sockaddr_un service = { .sun_family = AF_UNIX };
    memcpy(service.sun_path + 1, prefix, prefix_length);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + prefix_length;
    int fd = syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct iovec out[16] = { { request, sizeof *request } };
    for (int i = 0; i < count; i++)
        out[i + 1] = parts[i];
    struct msghdr message = { .msg_iov = out, .msg_iovlen = count + 1 };
    int answer = -1, error = ENETDOWN;
    long done;
    while ((done = syscall(SYS_connect, fd, &service, length)) < 0 && errno == EINTR)
        ;
    if (done == 0) {
        while ((done = syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
            ;
        struct reply reply;
        struct iovec in[2] = { { &reply, sizeof reply }, { got, room ? *room : 0 } };
        union {
            char bytes[CMSG_SPACE(sizeof(int))];
            struct cmsghdr header;
        } control;
        struct msghdr back = { .msg_iov = in, .msg_iovlen = 2, .msg_control = &control,
                               .msg_controllen = sizeof control };
        if (done >= 0)
            while ((done = syscall(SYS_recvmsg, fd, &back, 0)) < 0 && errno == EINTR && !block)
                ;
        if (done < 0 && errno == EINTR)
            error = EINTR;
        if (done >= (long)sizeof reply) {
            error = reply.error;
            answer = error ? -1 : reply.result;
            if (room)
                *room = done - sizeof reply;
            struct cmsghdr *first = CMSG_FIRSTHDR(&back);
            if (passed && !error) {
                if (first && first->cmsg_type == SCM_RIGHTS)
                    memcpy(passed, CMSG_DATA(first), sizeof *passed);
                else
                    answer = -1, error = EMFILE; /* there was no room for it in our table */
            }
        }
    }
    syscall(SYS_close, fd);
    if (answer < 0)
        errno = error;
    return answer;
}

static int simple(enum call call, uint64_t id, int a, int b, const void *data, size_t size)
{
    struct request request = { .call = call, .id = id, .a = a, .b = b };
    struct iovec part = { (void *)data, size };
    return ask(&request, &part, 1, NULL, NULL, NULL, 0);
}

/* Why a stream has come to its end: 0 after a FIN, else the errno. */
static int ended(uint64_t id, int reading)
{
    int before = errno, error = simple(ENDED, id, reading, 0, NULL, 0);
    errno = before;
    return error > 0 ? error : 0;
}

/* An address that was asked for, as calls with a value-result length give it. */
static void give(const void *value, size_t size, void *to, socklen_t *room)
{
    if (!to || !room)
        return;
    memcpy(to, value, size < *room ? size : *room);
    *room = size;
}

static int name(enum call call, uint64_t id, struct sockaddr *to, socklen_t *room)
{
    struct request request = { .call = call, .id = id };
    struct sockaddr_in address;
    size_t size = sizeof address;
    if (ask(&request, NULL, 0, &address, &size, NULL, 0) < 0)
        return -1;
    give(&address, size, to, room);
    return 0;
}

/* ---------------------------------------------------------------- making and naming */

EXPORT int socket(int family, int type, int protocol)
{
    if (!prefix_length || (family != AF_INET && family != AF_INET6))
        return syscall(SYS_socket, family, type, protocol);
    if (family == AF_INET6)
        return fail(EAFNOSUPPORT);
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), fd = -1;
    struct request request = { .call = SOCKET, .a = kind, .b = protocol };
    if (ask(&request, NULL, 0, NULL, NULL, &fd, 0) < 0)
        return -1;
    if (kind == SOCK_DGRAM)
        datagrams = 1;
    if (!(type & SOCK_CLOEXEC))
        fcntl(fd, F_SETFD, 0);
    if (type & SOCK_NONBLOCK)
        fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    return fd;
}

EXPORT int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    return id ? simple(BIND, id, 0, 0, address, length) : syscall(SYS_bind, fd, address, length);
}

/* There is no room for more until the simulator takes something: poll does not say "writable" any more. */
static int fill(int fd)
{
    static const char filler[4096];
    int total = 0;
    for (size_t size = sizeof filler; size; size /= 64)
        for (long n; (n = syscall(SYS_sendto, fd, filler, size, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0)) > 0;)
            total += n;
    return total;
}

EXPORT int listen(int fd, int backlog)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    if (!id)
        return syscall(SYS_listen, fd, backlog);
    int result = simple(LISTEN, id, backlog, 0, NULL, 0);
    if (result == 0)
        fill(fd);
    return result;
}

EXPORT int getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    return id ? name(GETSOCKNAME, id, address, length) : syscall(SYS_getsockname, fd, address, length);
}

EXPORT int getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    return id ? name(GETPEERNAME, id, address, length) : syscall(SYS_getpeername, fd, address, length);
}

/* ---------------------------------------------------------------- connections */

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    if (!id)
        return syscall(SYS_connect, fd, address, length);
    int nonblock = !!(fcntl(fd, F_GETFL) & O_NONBLOCK);
    struct request request = { .call = CONNECT, .id = id, .a = nonblock };
    struct iovec part = { (void *)address, length };
    int result = ask(&request, &part, 1, NULL, NULL, NULL, 1);
    if (result < 0 && errno == EINPROGRESS && nonblock) {
        simple(FILLED, id, fill(fd), 0, NULL, 0);
        errno = EINPROGRESS;
    }
    return result;
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    if (!id)
        return syscall(SYS_accept4, fd, address, length, flags);
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return fail(EINVAL);
    if (simple(ACCEPT, id, 0, 0, NULL, 0) < 0)
        return -1;
    struct sockaddr_in peer;
    struct iovec in = { &peer, sizeof peer };
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    struct msghdr message = { .msg_iov = &in, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control };
    long n = syscall(SYS_recvmsg, fd, &message, flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0);
    if (n < 0)
        return -1;
    if (n == 0)
        return fail(EINVAL); /* shut down */
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    simple(ACCEPTED, id, 0, 0, NULL, 0); /* the next one may come */
    if (!first)
        return fail(EMFILE);
    int made;
    memcpy(&made, CMSG_DATA(first), sizeof made);
    if (flags & SOCK_NONBLOCK)
        fcntl(made, F_SETFL, O_RDWR | O_NONBLOCK);
    give(&peer, sizeof peer, address, length);
    return made;
}

EXPORT int accept(int fd, struct sockaddr *address, socklen_t *length)
{
    return accept4(fd, address, length, 0);
}

EXPORT int shutdown(int fd, int how)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    if (id && simple(SHUTDOWN, id, how, 0, NULL, 0) < 0)
        return -1;
    return id && kind == 'd' ? 0 : syscall(SYS_shutdown, fd, how);
}

/* ---------------------------------------------------------------- options */

EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    if (!id)
        return syscall(SYS_setsockopt, fd, level, option, value, size);
    if (simple(SETSOCKOPT, id, level, option, value, size) < 0)
        return -1;
    if (level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO))
        return syscall(SYS_setsockopt, fd, level, option, value, size); /* it is the kernel that waits */
    return 0;
}

EXPORT int getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
    char kind, got[512];
    uint64_t id = lookup(fd, &kind);
    if (!id)
        return syscall(SYS_getsockopt, fd, level, option, value, size);
    struct request request = { .call = GETSOCKOPT, .id = id, .a = level, .b = option, .c = *size };
    size_t room = sizeof got;
    if (ask(&request, NULL, 0, got, &room, NULL, 0) < 0)
        return -1;
    memcpy(value, got, room < *size ? room : *size);
    if (room < *size)
        *size = room;
    return 0;
}

/* ---------------------------------------------------------------- data */

/* A datagram comes with the address of its sender in front; with none, it is an error, in the place of the port. */
static ssize_t take_datagram(int fd, struct msghdr *message, int flags)
{
    struct sockaddr_in sender = { 0 };
    struct iovec parts[message->msg_iovlen + 1];
    parts[0] = (struct iovec){ &sender, sizeof sender };
    memcpy(parts + 1, message->msg_iov, message->msg_iovlen * sizeof *parts);
    struct msghdr inner = { .msg_iov = parts, .msg_iovlen = message->msg_iovlen + 1 };
    if (flags & MSG_ERRQUEUE)
        return fail(EAGAIN);
    long n = syscall(SYS_recvmsg, fd, &inner, flags);
    if (n < 0)
        return -1;
    if (n < (long)sizeof sender)
        return 0; /* shut down */
    if (sender.sin_family == AF_UNSPEC)
        return fail(sender.sin_port);
    if (message->msg_name)
        give(&sender, sizeof sender, message->msg_name, &message->msg_namelen);
    message->msg_flags = inner.msg_flags;
    message->msg_controllen = 0;
    return n - sizeof sender;
}

static ssize_t give_datagram(int fd, uint64_t id, const struct msghdr *message, int flags)
{
    struct iovec parts[15];
    size_t count = message->msg_iovlen;
    if (count > 14)
        return fail(EMSGSIZE);
    int nonblock = flags & MSG_DONTWAIT || fcntl(fd, F_GETFL) & O_NONBLOCK;
    int length = message->msg_name ? message->msg_namelen : 0;
    struct request request = { .call = SENDTO, .id = id, .a = flags & ~(MSG_NOSIGNAL | MSG_DONTWAIT),
                               .b = nonblock, .c = length };
    parts[0] = (struct iovec){ message->msg_name, length };
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += (parts[i + 1] = message->msg_iov[i]).iov_len;
    if (total > MOST)
        return fail(EMSGSIZE);
    return ask(&request, parts, count + 1, NULL, NULL, NULL, 1);
}

/* What a native receive call on a stream gave: an end may be an error. */
static ssize_t received(int fd, ssize_t n, size_t asked)
{
    char kind;
    uint64_t id;
    int error;
    if (n == 0 && asked && (id = lookup(fd, &kind)) && kind == 's' && (error = ended(id, 1)))
        return fail(error);
    return n;
}

/* The same of a send call, which was made without a signal. */
static ssize_t sent(int fd, ssize_t n, int flags)
{
    char kind;
    uint64_t id;
    int error;
    if (n >= 0 || errno != EPIPE)
        return n;
    if ((id = lookup(fd, &kind)) && (error = ended(id, 0)) && error != EPIPE)
        return fail(error);
    if (!(flags & MSG_NOSIGNAL))
        raise(SIGPIPE);
    return fail(EPIPE);
}

static int datagram(int fd, uint64_t *id)
{
    char kind;
    return datagrams && (*id = lookup(fd, &kind)) && kind == 'd';
}

static size_t total(const struct iovec *parts, size_t count)
{
    size_t sum = 0;
    while (count--)
        sum += parts++->iov_len;
    return sum;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    uint64_t id;
    if (datagram(fd, &id))
        return take_datagram(fd, message, flags);
    return received(fd, syscall(SYS_recvmsg, fd, message, flags), total(message->msg_iov, message->msg_iovlen));
}

EXPORT ssize_t recvfrom(int fd, void *to, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
    uint64_t id;
    if (!datagram(fd, &id))
        return received(fd, syscall(SYS_recvfrom, fd, to, size, flags, address, length), size);
    struct iovec part = { to, size };
    struct msghdr message = { .msg_name = address, .msg_namelen = address ? *length : 0, .msg_iov = &part,
                              .msg_iovlen = 1 };
    ssize_t n = take_datagram(fd, &message, flags);
    if (n >= 0 && address)
        *length = message.msg_namelen;
    return n;
}

EXPORT ssize_t recv(int fd, void *to, size_t size, int flags)
{
    return recvfrom(fd, to, size, flags, NULL, NULL);
}

EXPORT ssize_t readv(int fd, const struct iovec *parts, int count)
{
    uint64_t id;
    struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = count };
    if (datagram(fd, &id))
        return take_datagram(fd, &message, 0);
    ssize_t n = syscall(SYS_readv, fd, parts, count);
    return n ? n : received(fd, n, total(parts, count));
}

EXPORT ssize_t read(int fd, void *to, size_t size)
{
    uint64_t id;
    struct iovec part = { to, size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (datagram(fd, &id))
        return take_datagram(fd, &message, 0);
    return received(fd, syscall(SYS_read, fd, to, size), size);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    char kind;
    uint64_t id = lookup(fd, &kind);
    if (!id)
        return syscall(SYS_sendmsg, fd, message, flags);
    if (kind == 'd')
        return give_datagram(fd, id, message, flags);
    if (flags & (MSG_OOB | MSG_FASTOPEN))
        return fail(EOPNOTSUPP);
    struct msghdr plain = { .msg_iov = message->msg_iov, .msg_iovlen = message->msg_iovlen };
    return sent(fd, syscall(SYS_sendmsg, fd, &plain, flags | MSG_NOSIGNAL), flags);
}

EXPORT ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
                      socklen_t length)
{
    struct iovec part = { (void *)data, size };
    struct msghdr message = { .msg_name = (void *)address, .msg_namelen = length, .msg_iov = &part,
                              .msg_iovlen = 1 };
    return sendmsg(fd, &message, flags);
}

EXPORT ssize_t send(int fd, const void *data, size_t size, int flags)
{
    return sendto(fd, data, size, flags, NULL, 0);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    uint64_t id;
    struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = count };
    if (datagram(fd, &id))
        return give_datagram(fd, id, &message, 0);
    return sent(fd, syscall(SYS_writev, fd, parts, count), MSG_NOSIGNAL); /* the kernel has sent the signal */
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
    uint64_t id;
    struct iovec part = { (void *)data, size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (datagram(fd, &id))
        return give_datagram(fd, id, &message, 0);
    return sent(fd, syscall(SYS_write, fd, data, size), MSG_NOSIGNAL);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned done = 0;
    for (ssize_t n; done < count; messages[done++].msg_len = n)
        if ((n = sendmsg(fd, &messages[done].msg_hdr, flags)) < 0)
            break;
    return done || !count ? (int)done : -1;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    uint64_t id;
    if (!datagram(fd, &id))
        return syscall(SYS_recvmmsg, fd, messages, count, flags, timeout);
    unsigned done = 0;
    for (ssize_t n; done < count; messages[done++].msg_len = n) {
        int later = done && flags & MSG_WAITFORONE ? MSG_DONTWAIT : 0;
        if ((n = take_datagram(fd, &messages[done].msg_hdr, (flags & ~MSG_WAITFORONE) | later)) < 0)
            break;
    }
    return done || !count ? (int)done : -1;
}

/* ---------------------------------------------------------------- names: nobody is asked beyond the simulation */

static void *next(const char *symbol)
{
    return dlsym(RTLD_NEXT, symbol);
}

/* The dotted address of a simulated host by its name, or NULL. */
static const char *dotted(const char *host, char *text)
{
    struct in_addr address;
    struct sockaddr_in found;
    size_t size = sizeof found;
    struct request request = { .call = RESOLVE };
    struct iovec part = { (void *)host, strlen(host) };
    if (inet_aton(host, &address))
        return host;
    if (ask(&request, &part, 1, &found, &size, NULL, 0) < 0)
        return NULL;
    return inet_ntop(AF_INET, &found.sin_addr, text, INET_ADDRSTRLEN);
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = next("getaddrinfo");
    struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST };
    char text[INET_ADDRSTRLEN];
    if (!prefix_length || !node || strchr(node, ':'))
        return real(node, service, hints, found);
    if (hints) {
        numeric = *hints;
        numeric.ai_flags = (hints->ai_flags & ~(AI_ADDRCONFIG | AI_IDN)) | AI_NUMERICHOST;
    }
    if (hints && hints->ai_family == AF_INET6 && !(hints->ai_flags & AI_V4MAPPED))
        return EAI_NONAME;
    const char *host = hints && hints->ai_flags & AI_NUMERICHOST ? node : dotted(node, text);
    return host ? real(host, service, &numeric, found) : EAI_NONAME;
}

EXPORT int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_room, char *service,
                       socklen_t service_room, int flags)
{
    int (*real)(const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int) = next("getnameinfo");
    if (prefix_length && address->sa_family != AF_UNIX) {
        if (flags & NI_NAMEREQD)
            return EAI_NONAME;
        flags |= NI_NUMERICHOST;
    }
    return real(address, length, host, host_room, service, service_room, flags);
}

EXPORT struct hostent *gethostbyname(const char *host)
{
    struct hostent *(*real)(const char *) = next("gethostbyname");
    char text[INET_ADDRSTRLEN];
    const char *address = prefix_length ? dotted(host, text) : host;
    if (address)
        return real(address);
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

EXPORT int gethostbyname_r(const char *host, struct hostent *entry, char *buffer, size_t size, struct hostent **found,
                           int *error)
{
    int (*real)(const char *, struct hostent *, char *, size_t, struct hostent **, int *) = next("gethostbyname_r");
    char text[INET_ADDRSTRLEN];
    const char *address = prefix_length ? dotted(host, text) : host;
    if (address)
        return real(address, entry, buffer, size, found, error);
    *found = NULL;
    *error = HOST_NOT_FOUND;
    return 0;
}

EXPORT int gethostbyaddr_r(const void *address, socklen_t length, int family, struct hostent *entry, char *buffer,
                           size_t size, struct hostent **found, int *error)
{
    int (*real)(const void *, socklen_t, int, struct hostent *, char *, size_t, struct hostent **, int *)
        = next("gethostbyaddr_r");
    if (!prefix_length)
        return real(address, length, family, entry, buffer, size, found, error);
    *found = NULL;
    *error = HOST_NOT_FOUND;
    return 0;
}

EXPORT struct hostent *gethostbyaddr(const void *address, socklen_t length, int family)
{
    struct hostent *(*real)(const void *, socklen_t, int) = next("gethostbyaddr");
    if (!prefix_length)
        return real(address, length, family);
    h_errno = HOST_NOT_FOUND;
    return NULL;
}
