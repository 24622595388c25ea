/* servers: reads where they are. */
#ifndef LARDER_LOAD_SERVERS_H
#define LARDER_LOAD_SERVERS_H

#include "load/connect.h"

/* Reads `name=host:port,name=/path/of/socket,...`; a name or a host may be left out, `[::1]:6379`
 * is an address of IPv6. Returns how many there are, at most `most`; -1 when the text is not of
 * this form. The endpoints' texts are pieces of `text`, which is changed, and live as long as it
 * does. */
int servers_read(char *text, struct endpoint *servers, int most);

#endif
