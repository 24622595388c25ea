/* larder-benchmark: puts a server under load, or several in turns, and says what they bear, how
 * long replies take, and what each request costs the server and the client. Cheap enough to fill a
 * server's core from another one even with pipelines of a hundred requests.
 *
 * The parts are in load/, from the inside out: template, mix (what is sent), keys, sizes, schedule
 * (when, and with which numbers), replies, durations (what comes back), worker (a thread), run (a
 * measurement), outcome, report, chart (what is told), campaign (all measurements of a call). */
#include "load/campaign.h"
#include "load/options.h"

int main(int argc, char **argv) {
    struct options_given options;
    int status = options_read(&options, argc, argv);
    if (status != 0) {
        return status < 0;
    }
    status = campaign_run(&options);
    options_end(&options);
    return status;
}
