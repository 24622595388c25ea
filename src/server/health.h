/* health: in words, whether the server is well, or the one thing that is most wrong with it. */
#ifndef LARDER_SERVER_HEALTH_H
#define LARDER_SERVER_HEALTH_H

#include <stddef.h>

#include "call/control.h"

/* For struct server_control. */
enum control_health health_tell(void *server, char *text, size_t room);

#endif
