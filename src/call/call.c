/* call: arguments as what a command needs them to be, with the errors that all commands share. */
#include "call/call.h"

#include <inttypes.h>

#include "base/num.h"

struct blob *call_take_blob(struct call *call, int index) {
    for (int i = 0; i < call->blob_count; i++) {
        if (call->blobs[i].index == index) {
            struct blob *blob = call->blobs[i].blob;
            call->blobs[i].blob = NULL;
            if (blob != NULL) {
                blob_charge(blob, MEM_DATA);
                call->blobs[i].taken = blob_hold(blob);
            }
            return blob;
        }
    }
    return NULL;
}

void call_end(struct call *call) {
    for (int i = 0; i < call->blob_count; i++) {
        if (call->blobs[i].taken != NULL) {
            blob_release(call->blobs[i].taken);
            call->blobs[i].taken = NULL;
        }
    }
}

bool call_integer(struct call *call, int index, int64_t *out) {
    if (!num_parse_i64(call->args[index], out)) {
        reply_not_integer(call->reply);
        return false;
    }
    return true;
}

/* Redis has one text for a number that must not be negative, which it gives for what is no number
 * too, and another for any other range. */
bool call_integer_between(struct call *call, int index, int64_t least, int64_t most, int64_t *out) {
    int64_t value;
    if (num_parse_i64(call->args[index], &value)) {
        if (value >= least && value <= most) {
            *out = value;
            return true;
        }
    } else if (least != 0 || most != INT64_MAX) {
        reply_not_integer(call->reply);
        return false;
    }
    if (least == 0 && most == INT64_MAX) {
        reply_error(call->reply, "ERR value is out of range, must be positive");
    } else {
        reply_errorf(call->reply,
                     "ERR value is out of range, value must between %" PRId64 " and %" PRId64,
                     least, most);
    }
    return false;
}

bool call_double(struct call *call, int index, double *out) {
    if (!num_parse_double(call->args[index], out)) {
        reply_not_float(call->reply);
        return false;
    }
    return true;
}
