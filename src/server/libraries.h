/* libraries: libraries of functions for who reads and writes the data: control->libraries. */
#ifndef LARDER_SERVER_LIBRARIES_H
#define LARDER_SERVER_LIBRARIES_H

struct server_control;

/* Sets the functions, if there is Lua. */
void libraries_init(struct server_control *control);

#endif
