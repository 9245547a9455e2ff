// get.mjs fetch|http URL|PORT: prints what is there, as a program that knows of no proxy. PORT is the workspace's: `run --forward`
// says in CMUXPROXY_FORWARDS which one it is here.
import http from 'node:http'

const [way, where] = process.argv.slice(2)
const ports = new Map((process.env.CMUXPROXY_FORWARDS ?? '').split(',').map((pair) => pair.split(':')))
const url = where.includes(':') ? where : `http://localhost:${ports.get(where)}/`

if (way === 'fetch') process.stdout.write(await (await fetch(url)).text())
else http.get(url, (response) => response.pipe(process.stdout))
