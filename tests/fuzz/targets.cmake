# The fuzz targets (preset fuzz: clang 14, libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer): tests/fuzz/README.md.
# Only the sources that they need are compiled, once for all of them.
file(GLOB fuzzed_sources CONFIGURE_DEPENDS schemas/base/*.cpp schemas/*.cpp storage/*.cpp storage/replication/*.cpp runtime/config/*.cpp
     net/http/*.cpp net/model/*.cpp net/websocket/*.cpp actors/kinds/*/*.cpp)
# clang 14 lacks what these need (aggregates in parentheses), and nothing here needs them.
list(FILTER fuzzed_sources EXCLUDE REGEX "/(server|openapi|handlers|http_model)\\.cpp$")
# Of the kinds only what is pure.
list(FILTER fuzzed_sources EXCLUDE REGEX "/(run_tests|git_bisect|parse_errors|measure_code|scan_security|tester|debugger|code_generator|security_auditor|orchestrator)\\.cpp$")
add_library(troupe_fuzzed STATIC EXCLUDE_FROM_ALL ${fuzzed_sources} runtime/bus/cursor.cpp runtime/bus/envelope.cpp
            runtime/bus/filter.cpp
            runtime/cluster/card.cpp runtime/cluster/frames.cpp runtime/cluster/link_session.cpp
            runtime/process/sandbox.cpp runtime/process/network_grant.cpp runtime/supervision/stall_watch.cpp runtime/supervision/tree.cpp
            net/client/sse_parser.cpp net/line_splitter.cpp net/client/oauth_wire.cpp net/mcp/messages.cpp net/mcp/oauth.cpp net/mcp/oauth_grant.cpp net/mcp/rpc.cpp net/mcp/session.cpp net/mcp/session_reading.cpp
            net/mcp/server_session.cpp net/mcp/server_reading.cpp net/mcp/http_headers.cpp
            net/etcd/etcd_session.cpp net/etcd/etcd_wire.cpp net/smtp/smtp_session.cpp net/smtp/mime_message.cpp actors/identity/id_token.cpp
            actors/common/markdown.cpp actors/kinds/scanned_text.cpp actors/tool/glob.cpp actors/tool/patch.cpp actors/tool/patch_parser.cpp actors/tool/html_text.cpp
            actors/tool/charset.cpp actors/provider/cassette.cpp actors/a2a/a2a_protocol.cpp actors/common/text.cpp
            actors/provider/rehearsal.cpp actors/provider/rehearsal_script.cpp bin/runner/confinement.cpp runtime/process/proxy_request.cpp
            tests/fuzz/entry.cpp tests/fuzz/wire.cpp)
target_compile_options(troupe_fuzzed PUBLIC -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr
                       -fno-sanitize-recover=all)
# Else an expression of a rehearsal that explodes takes seconds under sanitizers, and nearly all time goes there.
target_compile_definitions(troupe_fuzzed PRIVATE BOOST_REGEX_MAX_STATE_COUNT=100000)
target_link_libraries(troupe_fuzzed PUBLIC troupe_options OpenSSL::SSL OpenSSL::Crypto simdjson::simdjson RocksDB::rocksdb-shared
                      ZLIB::ZLIB ${XXHASH_LIBRARY} ${GIT2_LIBRARY} ${SODIUM_LIBRARY} yaml-cpp Boost::url LibXml2::LibXml2
                      ${CMARK_EXTENSIONS_LIBRARY} ${CMARK_LIBRARY} ${XAPIAN_LIBRARY})

add_custom_target(fuzz)
file(GLOB fuzz_targets CONFIGURE_DEPENDS tests/fuzz/*_target.cpp)
foreach(source ${fuzz_targets})
  get_filename_component(name ${source} NAME_WE)
  string(REPLACE "_target" "" name ${name})
  add_executable(fuzz_${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(fuzz_${name} PRIVATE troupe_fuzzed)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  add_dependencies(fuzz fuzz_${name})
endforeach()
