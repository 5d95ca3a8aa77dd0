// What an issuer of OpenID Connect sends: key sets, ID tokens, answers about people. The first byte chooses.
#include "actors/identity/id_token.hpp"
#include "schemas/base/cipher.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

using namespace actors;

const std::string_view keys_of_tests =
    R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"e","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},)"
    R"({"kty":"EC","crv":"P-256","kid":"c","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

/// Nobody here has the private keys.
void check_token(std::string_view token) {
    static const auto keys = issuer_keys::parse(keys_of_tests);
    claim(keys && keys->size() == 2, "the keys are read");
    claim(!keys->verify(token), "nothing is signed by chance");
    const timestamp now{1'800'000'000'000};
    claim(!verify_id_token(*keys, {"i", "c", "n", now, now}, token), "nothing is accepted by chance");
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    switch (in.byte() % 4) {
    case 0:
        if (const auto keys = issuer_keys::parse(in.rest())) {
            claim(keys->size() <= issuer_keys::keys_max, "the number of keys is bound");
        }
        return;
    case 1:
        return check_token(in.rest());
    case 2: { // parts that can be decoded
        const auto header = in.text();
        const auto payload = in.text();
        return check_token(to_base64url(header) + "." + to_base64url(payload) + "." + to_base64url(in.rest()));
    }
    default:
        id_token_claims claims;
        claims.subject = "ada";
        if (add_user_info(claims, in.rest())) {
            claim(claims.subject == "ada", "it stays the same person");
        }
        (void)domain_of(claims.email);
    }
}

} // namespace troupe::fuzz
