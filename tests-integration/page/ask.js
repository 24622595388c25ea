// Commands for a server, and a port that nobody uses.
"use strict";
const net = require("node:net");

// Commands in line, one after the other; what comes back of them all.
function to(port, ...commands) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), "127.0.0.1");
    let got = "";
    socket.on("error", reject);
    socket.on("data", (data) => {
      got += data;
      const end = got.indexOf("$3\r\nEND\r\n");
      if (end >= 0) {
        socket.destroy();
        resolve(got.slice(0, end));
      }
    });
    socket.write([...commands, "PING END"].map((command) => command + "\r\n").join(""));
  });
}

const ask = (...commands) => to(process.env.LARDER_PORT, ...commands);
ask.to = to;

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

module.exports = { ask, freePort };
