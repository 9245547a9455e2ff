# Before the package is made: Debian's policy wants manual pages and the changelog compressed (12.1, 12.7).
set(share ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share)
file(RENAME ${share}/doc/cmuxproxy/CHANGELOG.md ${share}/doc/cmuxproxy/changelog)
file(RENAME ${share}/doc/cmuxproxy/LICENSE ${share}/doc/cmuxproxy/copyright)
file(GLOB pages ${share}/man/man1/*.1)
execute_process(COMMAND gzip -9n ${pages} ${share}/doc/cmuxproxy/changelog COMMAND_ERROR_IS_FATAL ANY)
