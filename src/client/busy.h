/* busy: serving others while one command takes long: a script that has run for longer than it
 * should. Now and then it has a turn made for the others, in the middle of its own pass: what has
 * come is read and answered with an error, but for the commands that may be executed meanwhile
 * (COMMAND_ALLOW_BUSY), which end it, for example.
 *
 *     pass: ... batch_execute: EVAL ......................................... GET ...
 *                                 |                |
 *                                 +- turn          +- turn: read, batch of its own, refuse, send
 *
 * The batch in which the script is stands still meanwhile. If it is this thread's own, who has
 * replies in it is sent them now, and what is not executed yet goes back to who sent it, to be part
 * of the turn. Whoever has a request in the same batch of an I/O thread waits until the script is
 * over: for want of a way to hand back a part of a batch. */
#ifndef LARDER_CLIENT_BUSY_H
#define LARDER_CLIENT_BUSY_H

#include <stdbool.h>

struct clients;

/* One turn for the others, by the thread that executes commands, from within one. They are answered
 * `text`. */
void clients_serve_busy(struct clients *clients, const char *text);

/* During such a turn what others are answered; else NULL. */
const char *clients_busy_text(const struct clients *clients);

/* SHUTDOWN NOSAVE during such a turn: the command must end whatever it has done; and whether that
 * has been said. */
void clients_abandon_busy(struct clients *clients);
bool clients_is_abandoned(const struct clients *clients);

#endif
