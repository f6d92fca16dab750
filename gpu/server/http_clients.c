/* http_clients.c: how many connections come from where: a hash table of the addresses that have one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http_internal.h"

int http_clients_open(struct http *http) {
    size_t buckets = 16;
    while (buckets < http->options.connections && buckets < 65536)
        buckets *= 2;
    http->clients = calloc(buckets, sizeof(struct client *));
    http->client_mask = buckets - 1;
    return http->clients == NULL ? -ENOMEM : 0;
}

void http_clients_close(struct http *http) {
    for (size_t i = 0; http->clients != NULL && i <= http->client_mask; i++) {
        for (struct client *client = http->clients[i], *next; client != NULL; client = next) {
            next = client->next;
            free(client);
        }
    }
    free(http->clients);
}

/* An address of either family as one of IPv6. A socket that has none, of another family, counts as one address. */
static struct in6_addr address_of(const struct sockaddr *address) {
    struct in6_addr result = {0};
    if (address != NULL && address->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        result = six.sin6_addr;
    } else if (address != NULL && address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        result.s6_addr[10] = result.s6_addr[11] = 0xff;
        memcpy(&result.s6_addr[12], &four.sin_addr, 4);
    }
    return result;
}

/* FNV-1a. */
static struct client **bucket_of(struct http *http, const struct in6_addr *address) {
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < sizeof address->s6_addr; i++)
        hash = (hash ^ address->s6_addr[i]) * 16777619U;
    return &http->clients[hash & http->client_mask];
}

struct client *http_client_enter(struct http *http, const struct sockaddr *address) {
    struct in6_addr key = address_of(address);
    struct client **bucket = bucket_of(http, &key);
    struct client *client = *bucket;
    while (client != NULL && memcmp(&client->address, &key, sizeof key) != 0)
        client = client->next;
    if (client == NULL) {
        client = calloc(1, sizeof *client);
        if (client == NULL)
            return NULL;
        client->address = key;
        client->next = *bucket;
        *bucket = client;
    }
    client->connections++;
    return client;
}

void http_client_leave(struct http *http, struct client *client) {
    if (client == NULL || --client->connections > 0)
        return;
    struct client **place = bucket_of(http, &client->address);
    while (*place != client)
        place = &(*place)->next;
    *place = client->next;
    free(client);
}
