// The heads and pieces of blobs as they may lie in a database: the input is a head (a length byte before it) and the
// first piece.
#include "storage/blobs.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/temporary_directory.hpp"

namespace troupe::fuzz {

void try_input(std::string_view input) {
    using namespace storage;
    static const test::temporary_directory directory;
    static const auto opened =
        store::open({.directory = directory.path, .shards = 1, .cache_bytes = 1 << 20, .write_buffer_bytes = 1 << 20});
    claim(opened.has_value(), "a store can be opened");
    const auto& s = **opened;
    const auto organization = system_organization;
    const std::string hash(32, '\x5a');
    const auto name = to_hex(hash);
    const auto put = [&](std::uint32_t piece, std::string_view bytes) {
        rocksdb::WriteOptions options;
        options.disableWAL = true;
        claim(s.db().db->Put(options, s.db().blobs, keys::blob_piece(organization, hash, piece), bytes).ok(), "put");
    };
    cutter in(input);
    put(0, in.text());
    put(1, in.rest());
    const auto size = blob_size(s, organization, name);
    const auto content = get_blob(s, organization, name, 8192);
    if (!size) {
        claim(!content && content.error().code == code::journal_damaged,
              "a head that cannot be read is said to be damaged");
        return;
    }
    claim(size->has_value(), "the blob is there");
    if (content) {
        claim(content->size() == **size, "a blob is as long as its head says");
        claim(*content == in.rest().substr(0, content->size()), "and is what its pieces are");
    } else {
        claim(!content.error().detail.empty(), "a refusal has words");
    }
}

} // namespace troupe::fuzz
