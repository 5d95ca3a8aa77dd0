#include "schemas/base/crc32c.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(crc32c_checksum)

BOOST_AUTO_TEST_CASE(it_is_that_of_rfc_3720) {
    BOOST_TEST(crc32c("123456789") == 0xe3069283U);
    BOOST_TEST(crc32c(std::string(32, '\0')) == 0x8a9136aaU);
    BOOST_TEST(crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
    BOOST_TEST(crc32c("") == 0U);
}

BOOST_AUTO_TEST_CASE(tables_and_instruction_agree_at_every_length_and_cut) {
    std::string text;
    for (int i = 0; i < 70; ++i) {
        const auto whole = crc32c_by_tables(text);
        BOOST_TEST(crc32c(text) == whole);
        for (std::size_t cut = 0; cut <= text.size(); ++cut)
            BOOST_TEST(crc32c(text.substr(cut), crc32c_by_tables(text.substr(0, cut))) == whole);
        text += static_cast<char>(i * 37);
    }
}

BOOST_AUTO_TEST_SUITE_END()
