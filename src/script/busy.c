/* busy: what happens while a script runs for long: garbage is collected when there is much. */
#include "script/run.h"

void run_on_hook(lua_State *lua, lua_Debug *place) {
    (void)place;
    engine_relieve(lua);
}
