/*
 * What the C library makes of a name, printed a line each.
 *
 *   lookup addresses NAME inet|inet6|unspec    getaddrinfo: `canonical NAME`, then addresses, or the error's name
 *   lookup records NAME A|AAAA|SRV|CNAME       res_search: `OWNER TTL TYPE RDATA`, or NODATA, NXDOMAIN, TRY_AGAIN
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const struct { const char *name; int type; } TYPES[] = {
  {"A", ns_t_a}, {"AAAA", ns_t_aaaa}, {"SRV", ns_t_srv}, {"CNAME", ns_t_cname},
};
#define TYPE_COUNT (sizeof TYPES / sizeof *TYPES)

static const char *error_name(int code) {
  switch (code) {
    case EAI_NONAME: return "EAI_NONAME";
    case EAI_NODATA: return "EAI_NODATA";
    case EAI_ADDRFAMILY: return "EAI_ADDRFAMILY";
    case EAI_AGAIN: return "EAI_AGAIN";
    case EAI_FAIL: return "EAI_FAIL";
    default: return gai_strerror(code);
  }
}

static int print_addresses(const char *name, int family) {
  struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
  struct addrinfo *list;
  int code = getaddrinfo(name, NULL, &hints, &list);
  if (code != 0) {
    puts(error_name(code));
    return 0;
  }
  printf("canonical %s\n", list->ai_canonname);
  for (struct addrinfo *item = list; item != NULL; item = item->ai_next) {
    char text[INET6_ADDRSTRLEN];
    const void *address = item->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)item->ai_addr)->sin_addr
                                                     : (void *)&((struct sockaddr_in6 *)item->ai_addr)->sin6_addr;
    puts(inet_ntop(item->ai_family, address, text, sizeof text));
  }
  freeaddrinfo(list);
  return 0;
}

static int print_record(ns_msg message, ns_rr record) {
  const unsigned char *data = ns_rr_rdata(record);
  char text[NS_MAXDNAME];
  size_t i = 0;
  while (i < TYPE_COUNT && TYPES[i].type != (int)ns_rr_type(record)) i++;
  if (i == TYPE_COUNT) return 2;
  printf("%s %u %s ", ns_rr_name(record), (unsigned)ns_rr_ttl(record), TYPES[i].name);
  switch (ns_rr_type(record)) {
    case ns_t_a: puts(inet_ntop(AF_INET, data, text, sizeof text)); return 0;
    case ns_t_aaaa: puts(inet_ntop(AF_INET6, data, text, sizeof text)); return 0;
    case ns_t_srv:
      printf("%u %u %u ", ns_get16(data), ns_get16(data + 2), ns_get16(data + 4));
      data += 6;
      /* and the target, as a CNAME has it */
    default:
      if (dn_expand(ns_msg_base(message), ns_msg_end(message), data, text, sizeof text) < 0) return 2;
      printf("%s.\n", text);
      return 0;
  }
}

static int print_records(const char *name, const char *type) {
  unsigned char reply[NS_MAXMSG];
  size_t i = 0;
  while (i < TYPE_COUNT && strcmp(TYPES[i].name, type) != 0) i++;
  if (i == TYPE_COUNT) return 2;
  int length = res_search(name, ns_c_in, TYPES[i].type, reply, sizeof reply);
  if (length < 0) {
    puts(h_errno == HOST_NOT_FOUND ? "NXDOMAIN" : h_errno == NO_DATA ? "NODATA" : "TRY_AGAIN");
    return 0;
  }
  ns_msg message;
  if (ns_initparse(reply, length, &message) != 0) return 2;
  /* glibc has said these two as errors, musl leaves them to its caller. */
  if (ns_msg_getflag(message, ns_f_rcode) == ns_r_nxdomain) {
    puts("NXDOMAIN");
    return 0;
  }
  int printed = 0;
  for (int at = 0; at < ns_msg_count(message, ns_s_an); at++) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, at, &record) != 0) return 2;
    if (ns_rr_type(record) == (ns_type)TYPES[i].type) printed++;
    if (print_record(message, record) != 0) return 2;
  }
  if (printed == 0) puts("NODATA");
  return 0;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  const char *kind = arguments[3];
  if (strcmp(arguments[1], "records") == 0) return print_records(arguments[2], kind);
  int family = strcmp(kind, "inet") == 0 ? AF_INET : strcmp(kind, "inet6") == 0 ? AF_INET6 : AF_UNSPEC;
  return print_addresses(arguments[2], family);
}
