/* Between the project's Python and the lwIP library as Debian builds it (liblwip 2.1, raw API, no threads).
 *
 * What it defines under lwIP's own names (mem_malloc, sys_now, tcp_next_iss, the lock calls) takes the place of
 * the library's: all memory comes from an arena that the caller gives, which a device can reach by DMA; time is
 * what the caller says it is. An `fdl_stack` is one lwIP; the library keeps its state in static variables, so each
 * stack has an image of these, which is swapped in when another one is entered.
 *
 * Nothing here is thread-safe. Every function that enters lwIP takes the stack and the time in milliseconds.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/inet_chksum.h"
#include "lwip/mem.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/icmp.h"
#include "lwip/raw.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"
#include "netif/ethernet.h"

enum { EV_CONNECTED, EV_ACCEPT, EV_RECEIVED, EV_END, EV_SENT, EV_ERROR, EV_DATAGRAM, EV_ECHO };

typedef int (*output_fn)(struct pbuf *chain);
typedef void (*released_fn)(uint64_t token);
typedef void (*event_fn)(int kind, uint64_t id, uint64_t what, uint32_t address, uint32_t number);

#define CLASSES 40
#define BLOCK_HEADER 16 /* keeps what follows aligned to 16 */

struct block {
    uint32_t size; /* header included, a multiple of 16 */
    uint32_t used;
    struct block *next; /* while it is free */
};

struct rx_buffer {
    struct pbuf_custom custom; /* first: lwIP hands back a pointer to it */
    uint64_t token;
    struct rx_buffer *next;
};

struct figures {
    uint64_t used, peak, limit, refused; /* bytes, bytes, bytes, allocations */
    uint64_t copied;                     /* bytes that lwIP moved from one buffer into another */
    uint64_t rx_refused;                 /* frames for which no receive pbuf was left */
};

struct fdl_stack {
    char *arena;
    size_t reached;
    struct block *free[CLASSES];
    struct figures figures;
    struct rx_buffer *rx_free;
    void *rx_memory;
    struct netif netif;
    output_fn output;
    released_fn released;
    event_fn event;
    uint32_t seed;
    char *image;
};

/* ---- the library's static variables --------------------------------------------------------------------- */

static struct fdl_stack *current;
static uint32_t now_ms;
static char *data_start;
static size_t data_size;
static char *pristine;

/* Its writable segment, without what the loader has made read-only after relocation. */
static int find_data(struct dl_phdr_info *info, size_t size, void *probe)
{
    char *start = NULL, *end = NULL;
    int holds = 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        char *at = (char *)info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD && (char *)probe >= at && (char *)probe < at + p->p_memsz)
            holds = 1;
        if (p->p_type == PT_LOAD && (p->p_flags & PF_W)) {
            start = at;
            end = at + p->p_memsz;
        }
    }
    if (!holds || start == NULL)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_GNU_RELRO) {
            char *after = (char *)info->dlpi_addr + p->p_vaddr + p->p_memsz;
            after = (char *)(((uintptr_t)after + 4095) & ~(uintptr_t)4095);
            if (after > start && after < end)
                start = after;
        }
    }
    data_start = start;
    data_size = (size_t)(end - start);
    return 1;
}

static void enter(struct fdl_stack *stack, uint32_t now)
{
    now_ms = now;
    if (current == stack)
        return;
    if (current != NULL)
        memcpy(current->image, data_start, data_size);
    memcpy(data_start, stack->image, data_size);
    current = stack;
}

/* ---- what lwIP asks of its system ------------------------------------------------------------------------ */

u32_t sys_now(void) { return now_ms; }
void sys_check_core_locking(void) {}
void sys_mark_tcpip_thread(void) {}
void sys_lock_tcpip_core(void) {}
void sys_unlock_tcpip_core(void) {}
sys_prot_t sys_arch_protect(void) { return 0; }
void sys_arch_unprotect(sys_prot_t level) { (void)level; }

/* RFC 6528: a clock of 4 us and a hash of the connection (splitmix64's mixer, keyed by the seed). */
u32_t tcp_next_iss(struct tcp_pcb *pcb)
{
    uint64_t x = (uint64_t)ip_2_ip4(&pcb->remote_ip)->addr << 32 | (uint32_t)pcb->local_port << 16 | pcb->remote_port;
    x += ((uint64_t)current->seed + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (u32_t)(x ^ x >> 31) + now_ms * 250;
}

/* Block sizes: 32, 48, 64, 96, 128, 192 ... : two classes for each power of two. A free block is in the list of
 * the greatest class that fits into it. */
static uint32_t class_size(uint32_t class) { return (class & 1 ? 48u : 32u) << (class / 2); }

static void put_free(struct fdl_stack *stack, struct block *block)
{
    uint32_t class = 0;
    while (class + 1 < CLASSES && class_size(class + 1) <= block->size)
        class++;
    block->used = 0;
    block->next = stack->free[class];
    stack->free[class] = block;
}

/* Joins neighbours that are free, all over the arena, and gives the end of it back. */
static void join_free(struct fdl_stack *stack)
{
    char *at = stack->arena, *end = stack->arena + stack->reached;
    memset(stack->free, 0, sizeof stack->free);
    while (at < end) {
        struct block *block = (struct block *)at;
        at += block->size;
        if (block->used)
            continue;
        while (at < end && !((struct block *)at)->used) {
            block->size += ((struct block *)at)->size;
            at += ((struct block *)at)->size;
        }
        if (at == end)
            stack->reached = (size_t)((char *)block - stack->arena);
        else
            put_free(stack, block);
    }
}

static struct block *take(struct fdl_stack *stack, uint32_t class)
{
    uint32_t size = class_size(class);
    struct block *block = stack->free[class];
    if (block != NULL) {
        stack->free[class] = block->next;
        return block;
    }
    if (stack->reached + size > stack->figures.limit)
        return NULL;
    block = (struct block *)(stack->arena + stack->reached);
    stack->reached += size;
    block->size = size;
    return block;
}

/* The last resort: neighbours joined, and a greater block cut. */
static struct block *scrape(struct fdl_stack *stack, uint32_t class)
{
    join_free(stack);
    struct block *block = take(stack, class);
    for (uint32_t greater = class + 1; block == NULL && greater < CLASSES; greater++) {
        block = stack->free[greater];
        if (block != NULL)
            stack->free[greater] = block->next;
    }
    if (block != NULL && block->size >= class_size(class) + class_size(0)) {
        struct block *rest = (struct block *)((char *)block + class_size(class));
        rest->size = block->size - class_size(class);
        block->size = class_size(class);
        put_free(stack, rest);
    }
    return block;
}

void *mem_malloc(mem_size_t wanted)
{
    struct fdl_stack *stack = current;
    uint32_t class = 0;
    while (class < CLASSES && class_size(class) < (uint64_t)wanted + BLOCK_HEADER)
        class++;
    struct block *block = class < CLASSES ? take(stack, class) : NULL;
    if (block == NULL && class < CLASSES)
        block = scrape(stack, class);
    if (block == NULL) {
        stack->figures.refused++;
        return NULL;
    }
    block->used = 1;
    stack->figures.used += block->size;
    if (stack->figures.used > stack->figures.peak)
        stack->figures.peak = stack->figures.used;
    return (char *)block + BLOCK_HEADER;
}

void *mem_calloc(mem_size_t count, mem_size_t size)
{
    void *memory = mem_malloc(count * size);
    if (memory != NULL)
        memset(memory, 0, count * size);
    return memory;
}

void *mem_trim(void *memory, mem_size_t size) { (void)size; return memory; }

void mem_free(void *memory)
{
    if (memory == NULL)
        return;
    struct block *block = (struct block *)((char *)memory - BLOCK_HEADER);
    current->figures.used -= block->size;
    put_free(current, block);
}

/* ---- copies, counted --------------------------------------------------------------------------------------- */

u16_t lwip_chksum_copy(void *to, const void *from, u16_t length)
{
    current->figures.copied += length;
    memcpy(to, from, length);
    return (u16_t)~inet_chksum(to, length);
}

err_t pbuf_copy(struct pbuf *to, const struct pbuf *from)
{
    static err_t (*theirs)(struct pbuf *, const struct pbuf *);
    if (theirs == NULL)
        theirs = (err_t (*)(struct pbuf *, const struct pbuf *))dlsym(RTLD_NEXT, "pbuf_copy");
    current->figures.copied += from->tot_len;
    return theirs(to, from);
}

/* ---- the interface ------------------------------------------------------------------------------------------ */

static err_t link_output(struct netif *netif, struct pbuf *chain)
{
    (void)netif;
    pbuf_ref(chain); /* until the device has sent it: fdl_pbuf_free */
    if (current->output(chain) == 0)
        return ERR_OK;
    pbuf_free(chain);
    return ERR_IF;
}

static err_t netif_setup(struct netif *netif)
{
    netif->name[0] = 'v';
    netif->name[1] = 'n';
    netif->output = etharp_output;
    netif->linkoutput = link_output;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    return ERR_OK;
}

/* The arena is the caller's again. No callback is made. */
void fdl_delete(struct fdl_stack *stack)
{
    if (current == stack)
        current = NULL;
    free(stack->image);
    free(stack);
}

struct fdl_stack *fdl_new(char *arena, uint64_t size, uint32_t rx_buffers, uint32_t seed, output_fn output,
                          released_fn released, event_fn event)
{
    struct fdl_stack *stack = calloc(1, sizeof *stack);
    if (data_start == NULL) {
        /* lwip_init is called through the library's own name; its address may be in our PLT. */
        void *probe = dlsym(RTLD_NEXT, "pbuf_copy");
        dl_iterate_phdr(find_data, probe);
        if (data_start == NULL || (pristine = malloc(data_size)) == NULL)
            return NULL;
        memcpy(pristine, data_start, data_size);
    }
    if (stack == NULL || (stack->image = malloc(data_size)) == NULL)
        return NULL;
    memcpy(stack->image, pristine, data_size);
    stack->arena = arena;
    stack->figures.limit = size;
    stack->seed = seed;
    stack->output = output;
    stack->released = released;
    stack->event = event;
    enter(stack, 0);
    srand(seed); /* lwIP's first ports are drawn from it */
    lwip_init();
    stack->rx_memory = mem_malloc(rx_buffers * sizeof(struct rx_buffer));
    if (stack->rx_memory == NULL) {
        fdl_delete(stack);
        return NULL;
    }
    for (uint32_t i = 0; i < rx_buffers; i++) {
        struct rx_buffer *buffer = (struct rx_buffer *)stack->rx_memory + i;
        buffer->next = stack->rx_free;
        stack->rx_free = buffer;
    }
    return stack;
}

void fdl_figures(struct fdl_stack *stack, struct figures *to) { *to = stack->figures; }

int fdl_up(struct fdl_stack *stack, uint32_t now, const uint8_t *mac, uint32_t mtu, uint32_t address, uint32_t mask,
           uint32_t gateway)
{
    ip4_addr_t a = {address}, m = {mask}, g = {gateway};
    enter(stack, now);
    if (netif_add(&stack->netif, &a, &m, &g, NULL, netif_setup, ethernet_input) == NULL)
        return ERR_MEM;
    memcpy(stack->netif.hwaddr, mac, 6);
    stack->netif.hwaddr_len = 6;
    stack->netif.mtu = (u16_t)mtu;
    netif_set_default(&stack->netif);
    netif_set_up(&stack->netif);
    return ERR_OK;
}

void fdl_link(struct fdl_stack *stack, uint32_t now, int up)
{
    enter(stack, now);
    if (up)
        netif_set_link_up(&stack->netif);
    else
        netif_set_link_down(&stack->netif);
}

/* Runs lwIP's timers; milliseconds until the next one, or UINT32_MAX. */
uint32_t fdl_timers(struct fdl_stack *stack, uint32_t now)
{
    enter(stack, now);
    sys_check_timeouts();
    return sys_timeouts_sleeptime();
}

static void rx_free(struct pbuf *p)
{
    struct rx_buffer *buffer = (struct rx_buffer *)p;
    buffer->next = current->rx_free;
    current->rx_free = buffer;
    current->released(buffer->token);
}

/* A frame in `count` pieces of DMA memory, which stay in use until `released(token)` has been called once for
 * each. Negative: it was not taken, and `released` is not called. */
int fdl_input(struct fdl_stack *stack, uint32_t now, uint64_t token, uint32_t count, char *const *pieces,
              const uint32_t *lengths)
{
    struct pbuf *frame = NULL;
    struct rx_buffer *buffer = stack->rx_free;
    enter(stack, now);
    for (uint32_t i = 0; i < count; i++, buffer = buffer->next)
        if (buffer == NULL) {
            stack->figures.rx_refused++;
            return -1;
        }
    for (uint32_t i = 0; i < count; i++) {
        buffer = stack->rx_free;
        stack->rx_free = buffer->next;
        buffer->token = token;
        buffer->custom.custom_free_function = rx_free;
        struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, (u16_t)lengths[i], PBUF_REF, &buffer->custom, pieces[i],
                                             (u16_t)lengths[i]);
        if (frame == NULL)
            frame = p;
        else
            pbuf_cat(frame, p);
    }
    if (stack->netif.input(frame, &stack->netif) != ERR_OK)
        pbuf_free(frame);
    return 0;
}

/* ---- pbufs -------------------------------------------------------------------------------------------------- */

/* Where a chain's pieces are; at most `room` of them are written, the number of all is returned. */
uint32_t fdl_pieces(const struct pbuf *chain, uint32_t room, uint64_t *where, uint32_t *lengths)
{
    uint32_t count = 0;
    for (; chain != NULL; chain = chain->next) {
        if (chain->len == 0)
            continue;
        if (count < room) {
            where[count] = (uint64_t)(uintptr_t)chain->payload;
            lengths[count] = chain->len;
        }
        count++;
    }
    return count;
}

void fdl_pbuf_free(struct fdl_stack *stack, uint32_t now, struct pbuf *chain)
{
    enter(stack, now);
    pbuf_free(chain);
}

/* ---- TCP ---------------------------------------------------------------------------------------------------- */

static err_t on_received(void *id, struct tcp_pcb *pcb, struct pbuf *chain, err_t error)
{
    (void)pcb;
    (void)error;
    if (chain == NULL)
        current->event(EV_END, (uint64_t)(uintptr_t)id, 0, 0, 0);
    else
        current->event(EV_RECEIVED, (uint64_t)(uintptr_t)id, (uint64_t)(uintptr_t)chain, 0, chain->tot_len);
    return ERR_OK;
}

static err_t on_sent(void *id, struct tcp_pcb *pcb, u16_t length)
{
    (void)pcb;
    current->event(EV_SENT, (uint64_t)(uintptr_t)id, 0, 0, length);
    return ERR_OK;
}

static void on_error(void *id, err_t error)
{
    current->event(EV_ERROR, (uint64_t)(uintptr_t)id, 0, 0, (uint32_t)-error);
}

static err_t on_connected(void *id, struct tcp_pcb *pcb, err_t error)
{
    (void)pcb;
    (void)error;
    current->event(EV_CONNECTED, (uint64_t)(uintptr_t)id, 0, 0, 0);
    return ERR_OK;
}

static err_t on_accept(void *id, struct tcp_pcb *pcb, err_t error)
{
    if (pcb == NULL || error != ERR_OK)
        return ERR_VAL;
    current->event(EV_ACCEPT, (uint64_t)(uintptr_t)id, (uint64_t)(uintptr_t)pcb,
                   ip_2_ip4(&pcb->remote_ip)->addr, pcb->remote_port);
    return ERR_OK;
}

void fdl_tcp_own(struct tcp_pcb *pcb, uint64_t id)
{
    tcp_arg(pcb, (void *)(uintptr_t)id);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
}

struct tcp_pcb *fdl_tcp_connect(struct fdl_stack *stack, uint32_t now, uint64_t id, uint32_t address, uint32_t port,
                                int *error)
{
    ip_addr_t to;
    enter(stack, now);
    struct tcp_pcb *pcb = tcp_new();
    *error = ERR_MEM;
    if (pcb == NULL)
        return NULL;
    fdl_tcp_own(pcb, id);
    ip_addr_set_ip4_u32_val(to, address);
    *error = tcp_connect(pcb, &to, (u16_t)port, on_connected);
    if (*error != ERR_OK) {
        tcp_err(pcb, NULL);
        tcp_abort(pcb);
        return NULL;
    }
    return pcb;
}

struct tcp_pcb *fdl_tcp_listen(struct fdl_stack *stack, uint32_t now, uint64_t id, uint32_t port, int *error)
{
    enter(stack, now);
    struct tcp_pcb *pcb = tcp_new();
    *error = ERR_MEM;
    if (pcb == NULL)
        return NULL;
    *error = tcp_bind(pcb, IP4_ADDR_ANY, (u16_t)port);
    struct tcp_pcb *listener = *error == ERR_OK ? tcp_listen(pcb) : NULL;
    if (listener == NULL) {
        if (*error == ERR_OK)
            *error = ERR_MEM;
        tcp_abort(pcb);
        return NULL;
    }
    tcp_arg(listener, (void *)(uintptr_t)id);
    tcp_accept(listener, on_accept);
    return listener;
}

/* Bytes taken (fewer when the send buffer or memory is short), or an error below 0. */
int fdl_tcp_write(struct fdl_stack *stack, uint32_t now, struct tcp_pcb *pcb, const char *data, uint32_t length,
                  int more)
{
    enter(stack, now);
    uint32_t room = tcp_sndbuf(pcb);
    if (length > room)
        length = room;
    if (length > 0xffff)
        length = 0xffff;
    if (length == 0)
        return 0;
    err_t error = tcp_write(pcb, data, (u16_t)length, TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0));
    if (error == ERR_MEM && length > 1) { /* the queue of segments is full, or the arena: less may fit */
        tcp_output(pcb);
        length = length > pcb->mss ? pcb->mss : (length + 1) / 2;
        error = tcp_write(pcb, data, (u16_t)length, TCP_WRITE_FLAG_COPY);
    }
    if (error == ERR_MEM) {
        tcp_output(pcb);
        return 0;
    }
    if (error != ERR_OK)
        return error;
    error = tcp_output(pcb);
    return error == ERR_OK || error == ERR_MEM || error == ERR_IF || error == ERR_RTE ? (int)length : error;
}

/* A received chain, or `length` bytes of it, were read: the window opens again. */
void fdl_tcp_read(struct fdl_stack *stack, uint32_t now, struct tcp_pcb *pcb, uint32_t length)
{
    enter(stack, now);
    for (; length > 0xffff; length -= 0xffff)
        tcp_recved(pcb, 0xffff);
    tcp_recved(pcb, (u16_t)length);
}

void fdl_tcp_nodelay(struct tcp_pcb *pcb) { tcp_nagle_disable(pcb); }

int fdl_tcp_shut(struct fdl_stack *stack, uint32_t now, struct tcp_pcb *pcb)
{
    enter(stack, now);
    return tcp_shutdown(pcb, 0, 1);
}

/* `listener` has other callbacks than a connection. Negative: try again, it is open still. */
int fdl_tcp_close(struct fdl_stack *stack, uint32_t now, struct tcp_pcb *pcb, int listener)
{
    enter(stack, now);
    if (!listener) {
        tcp_arg(pcb, NULL);
        tcp_recv(pcb, NULL);
        tcp_sent(pcb, NULL);
        tcp_err(pcb, NULL);
    }
    return tcp_close(pcb);
}

void fdl_tcp_abort(struct fdl_stack *stack, uint32_t now, struct tcp_pcb *pcb)
{
    enter(stack, now);
    tcp_err(pcb, NULL);
    tcp_abort(pcb);
}

/* ---- UDP and echo ------------------------------------------------------------------------------------------- */

static void on_datagram(void *id, struct udp_pcb *pcb, struct pbuf *chain, const ip_addr_t *from, u16_t port)
{
    (void)pcb;
    current->event(EV_DATAGRAM, (uint64_t)(uintptr_t)id, (uint64_t)(uintptr_t)chain, ip_2_ip4(from)->addr, port);
}

struct udp_pcb *fdl_udp_new(struct fdl_stack *stack, uint32_t now, uint64_t id, uint32_t port, int *error)
{
    enter(stack, now);
    struct udp_pcb *pcb = udp_new();
    *error = ERR_MEM;
    if (pcb == NULL)
        return NULL;
    *error = udp_bind(pcb, IP4_ADDR_ANY, (u16_t)port);
    if (*error != ERR_OK) {
        udp_remove(pcb);
        return NULL;
    }
    udp_recv(pcb, on_datagram, (void *)(uintptr_t)id);
    return pcb;
}

uint32_t fdl_udp_port(const struct udp_pcb *pcb) { return pcb->local_port; }

void fdl_udp_delete(struct fdl_stack *stack, uint32_t now, struct udp_pcb *pcb)
{
    enter(stack, now);
    udp_remove(pcb);
}

/* Sends `count` pieces as one datagram. `copy`: into a pbuf of its own first; otherwise they are referred to
 * (PBUF_ROM: the caller keeps them unchanged until the frame was sent, so lwIP may queue them as they are). */
int fdl_udp_send(struct fdl_stack *stack, uint32_t now, struct udp_pcb *pcb, uint32_t address, uint32_t port,
                 uint32_t count, char *const *pieces, const uint32_t *lengths, int copy)
{
    ip_addr_t to;
    uint32_t total = 0;
    struct pbuf *chain = NULL;
    enter(stack, now);
    ip_addr_set_ip4_u32_val(to, address);
    for (uint32_t i = 0; i < count; i++)
        total += lengths[i];
    if (total > 0xffff - 28)
        return ERR_VAL;
    if (copy) {
        uint32_t at = 0;
        chain = pbuf_alloc(PBUF_TRANSPORT, (u16_t)total, PBUF_RAM);
        if (chain == NULL)
            return ERR_MEM;
        for (uint32_t i = 0; i < count; at += lengths[i], i++)
            pbuf_take_at(chain, pieces[i], (u16_t)lengths[i], (u16_t)at);
        current->figures.copied += total;
    }
    for (uint32_t i = 0; !copy && i < count; i++) {
        struct pbuf *p = pbuf_alloc_reference(pieces[i], (u16_t)lengths[i], PBUF_ROM);
        if (p == NULL) {
            if (chain != NULL)
                pbuf_free(chain);
            return ERR_MEM;
        }
        if (chain == NULL)
            chain = p;
        else
            pbuf_cat(chain, p);
    }
    err_t error = udp_sendto(pcb, chain, &to, (u16_t)port);
    pbuf_free(chain);
    return error;
}

static u8_t on_echo(void *id, struct raw_pcb *pcb, struct pbuf *packet, const ip_addr_t *from)
{
    (void)pcb;
    struct icmp_echo_hdr echo;
    u16_t header = (u16_t)((pbuf_get_at(packet, 0) & 15) * 4);
    if (pbuf_copy_partial(packet, &echo, sizeof echo, header) != sizeof echo || ICMPH_TYPE(&echo) != ICMP_ER)
        return 0; /* lwIP goes on with it: it answers requests itself */
    current->event(EV_ECHO, (uint64_t)(uintptr_t)id, lwip_htons(echo.id), ip_2_ip4(from)->addr,
                   lwip_htons(echo.seqno));
    pbuf_free(packet);
    return 1;
}

struct raw_pcb *fdl_ping_new(struct fdl_stack *stack, uint32_t now, uint64_t id)
{
    enter(stack, now);
    struct raw_pcb *pcb = raw_new(IP_PROTO_ICMP);
    if (pcb == NULL)
        return NULL;
    raw_recv(pcb, on_echo, (void *)(uintptr_t)id);
    raw_bind(pcb, IP4_ADDR_ANY);
    return pcb;
}

/* RFC 792: an echo request with `length` bytes of data, which count up from 0. */
int fdl_ping(struct fdl_stack *stack, uint32_t now, struct raw_pcb *pcb, uint32_t address, uint32_t ident,
             uint32_t sequence, uint32_t length)
{
    ip_addr_t to;
    enter(stack, now);
    ip_addr_set_ip4_u32_val(to, address);
    struct pbuf *packet = pbuf_alloc(PBUF_IP, (u16_t)(sizeof(struct icmp_echo_hdr) + length), PBUF_RAM);
    if (packet == NULL)
        return ERR_MEM;
    struct icmp_echo_hdr *echo = packet->payload;
    memset(echo, 0, sizeof *echo);
    ICMPH_TYPE_SET(echo, ICMP_ECHO);
    echo->id = lwip_htons((u16_t)ident);
    echo->seqno = lwip_htons((u16_t)sequence);
    for (uint32_t i = 0; i < length; i++)
        ((uint8_t *)(echo + 1))[i] = (uint8_t)i;
    echo->chksum = inet_chksum(echo, packet->len);
    err_t error = raw_sendto(pcb, packet, &to);
    pbuf_free(packet);
    return error;
}

/* Copies of the counters of lwIP's tables, for tests: active connections, those in TIME-WAIT. */
void fdl_tcp_count(struct fdl_stack *stack, uint32_t now, uint32_t *active, uint32_t *waiting)
{
    enter(stack, now);
    *active = *waiting = 0;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next)
        ++*active;
    for (struct tcp_pcb *pcb = tcp_tw_pcbs; pcb != NULL; pcb = pcb->next)
        ++*waiting;
}
