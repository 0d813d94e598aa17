// Checksums and inner structures of tokens: what vendors publish has them, and one changed character takes them away.

#include "core/sanitize/token_structures.h"

#include <gtest/gtest.h>

#include "core/event/native_decoder.h"
#include "core/sanitize/checks.h"
#include "core/sanitize/checksums.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/sanitize/shipped_patterns.h"

namespace tocsin {
namespace token_structures_test {

bool holds(std::string_view structure, const std::string& token) {
  const TokenStructure* const known = token_structure_named(structure);
  EXPECT_NE(known, nullptr) << structure;
  return known != nullptr && known->holds(token);
}

// Made for these tests, in parts, so that scanners of repositories pass by.
struct Sealed {
  std::string_view structure;
  std::string token;
  std::size_t from = 0;    // the first character that the checksum covers
  std::size_t spared = 0;  // at the end: padding
};

const std::string grafana = std::string("glsa_Zb9gbCPLNpZ6BkVc") + "yrEa4jedRNJCPU8d_b5e8c712";
const std::string gitlab = std::string("glpat-bzoxCnU6MmETpf") + "MmXMFU8h_avjtDnr6FEA.01.0y0za6l55";
const std::string azure_storage =
    std::string("N9231lxMiW6PPPT9PFUBzbaSzzUZ9lPQKIHlDa") + "PVKrr9LEhIBVmeNLiXqHILVTyUWULlhlt+iZht" + "+AStXpFtEw==";
const std::string pypi = std::string("pypi-AgEIcHlwaS5vcmcCJDk5ODRjZTk5LWE5Y2EtNDEyNS1hMjBjLTIwOGViYjQ4YjIyMAAC") +
                         "KlszLCJjZjBhYWRiNy02YjUyLTQwYjUtYWEzMC00ZWY1MTM3MTM5N" +
                         "GEiXQAABiDvIn9h3Z7XcBt7SB6-LJv3yVy6uprAQWx5Q1nWX6djhg";
const std::string fly =
    std::string("fm2_lJPEGCXV085DCbJMtA83d6LrWAPcRbhjkpe/bMQQFtFOwYa+TeLyFZGPynCjfsK1aHR0cHM6Ly9") +
    "hcGkuZmx5LmlvL3YxkgCTAQIfxCDurH1+B38bj+mAMqdIGM+rUn8c65QTDxAYCWG2PtzR1g==";
const std::string vault = std::string("hvs.CAESIJA4ChWDHE-T341XX7rD84wbySSxZZf7OdK-kJusKyW3Gi") +
                          "IKHGh2cy43MEpWT2E0bFdkajRXWmgxY3VSWTU1UksQBxgB";

const std::vector<Sealed> sealed = {
    {"atlassian_crc32",
     std::string(
         "ATATT3xFfGF0FPd011rVLqcY2DSXwwhncci8vaHYdKJLMuOAyAlzvpVFcNabw1z9GvpGz36HE38XHz_Hmh0Qp-FELS3NDIals-sT") +
         "Ktze5zBJ4U_JqIWIHI7-z7_MwTbRe3c4QqlaaiJD24dil0oUhsNY0dRnXnMja4LUsA8aijOXoQiokZ_90iSt-UPe=9638BAB5"},
    {"gitlab_crc32", gitlab},
    {"grafana_crc32", grafana},
    {"zuplo_crc32", std::string("zpka_ffc294b97d4d0136") + "d4cd2c4c194b1dbc_0f54048f", 5},
    {"synapse_crc32", std::string("syt_cm9ib3Q_vIWlvGraBR") + "CjqeJgdeUa_2dWYKR"},
    {"matrix_service_crc32", std::string("mat_GjIRIDej0sxdoZa") + "j5EDPxOOLvJBfaK_0wFTxC"},
    {"crc32_base62", std::string("nbp_dHu4xGAoZYX7j3s") + "DOvWGp4fMeRXtm10i8A0i", 4},
    {"bech32", std::string("AGE-SECRET-KEY-1NRUUK486J6FC53872GHD7ZL79PA2L") + "2N3JC7P93LYUVF0ZY7P2Z6S24S6EK"},
    {"bech32", std::string("nsec12zkk6whjslhfq0g6recvrnd5yjspl") + "p9g0px3zd7cd4lfv9e28rwsqgm3hn"},
    {"base58check", std::string("xprv9s21ZrQH143K3wbsYjhLNq8WsNjNyZDTjsX8VWwWegRFTnieNWvidkNNXAN2") +
                        "7f6BkyMhArqqDu69gJpNF1tGsGdtW2qQLAYTY3SMxb6EXEW"},
    {"azure_client_checksum", std::string("PQj8Q~8DDd_BSR6XWQz1yaG") + "H25D3EWziPqJHQa48", 4},
    {"azure_storage_checksum", azure_storage, 0, 3},
};

TEST(Checksums, AreThoseOfTheirDefinitions) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926U);
  EXPECT_TRUE(writes("0cbf43926", 0xcbf43926U, "0123456789abcdef"));
  EXPECT_FALSE(writes("bf43926", 0xcbf43926U, "0123456789abcdef")) << "too short";
  for (const char* valid : {"A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
                            "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"}) {
    EXPECT_TRUE(bech32_holds(valid)) << valid;  // BIP 173
  }
  for (const char* invalid : {"A1G7SGD8", "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", ""}) {
    EXPECT_FALSE(bech32_holds(invalid)) << invalid;  // BIP 173, but for the last
  }
  EXPECT_TRUE(base58check_holds("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")) << "the first address of Bitcoin";
  EXPECT_FALSE(base58check_holds("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"));
  EXPECT_FALSE(base58check_holds("A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")) << "without its leading zero";
  EXPECT_FALSE(base58check_holds(""));
  EXPECT_FALSE(base58check_holds("1111"));
  EXPECT_FALSE(base58check_holds(std::string(200, 'z')));
}

// Of the vendors' own documentation and tests.
TEST(TokenStructures, HoldForWhatVendorsPublish) {
  EXPECT_TRUE(holds("grafana_crc32", std::string("glsa_yscW25imSKJIuav8zF37RZmn") + "biDvB05G_fcaaf58a"));
  EXPECT_TRUE(holds("gitlab_crc32", std::string("glpat-vSY1cyL948aAB440qB6L4zlu") + "9OzsUmEV.01.0w0sfevch"));
  EXPECT_TRUE(holds("matrix_service_crc32", std::string("mat_kkLSacJDpek22jKWw4Ac") + "XG68b7U3W6_0Lg9yb"));
  EXPECT_TRUE(holds("zuplo_crc32", std::string("zpka_3e6c4f7d39954ca29353b7") + "ab88589b64_de26cd55"));
  EXPECT_TRUE(holds("bech32", std::string("nsec1vl029mgpspedva04g90vltkh6fvh2") + "40zqtv9k0t9af8935ke9laqsnlfe5"));
  EXPECT_TRUE(holds("azure_client_checksum", "zzz8Q~" + std::string(31, 'z') + "blP"));
  EXPECT_TRUE(holds("azure_storage_checksum", std::string(76, 'a') + "+ASt5mnCaw=="));
}

TEST(TokenStructures, FailWithAnyOneCharacterChanged) {
  for (const Sealed& one : sealed) {
    EXPECT_TRUE(holds(one.structure, one.token)) << one.structure;
    for (std::size_t i = one.from; i + one.spared < one.token.size(); ++i) {
      std::string changed = one.token;
      changed[i] = changed[i] == '5' ? '6' : '5';
      EXPECT_FALSE(holds(one.structure, changed)) << one.structure << " at " << i;
    }
    EXPECT_FALSE(holds(one.structure, one.token.substr(0, one.token.size() - one.spared - 1))) << one.structure;
  }
}

TEST(TokenStructures, AreThoseOfMacaroons) {
  EXPECT_TRUE(holds("pypi_macaroon", pypi));
  EXPECT_FALSE(holds("pypi_macaroon", pypi.substr(0, pypi.size() - 4))) << "cut";
  EXPECT_FALSE(holds("pypi_macaroon", pypi + "AAAA")) << "it goes on";
  std::string changed = pypi;
  changed[21] = 'K';  // the length of the identifier
  EXPECT_FALSE(holds("pypi_macaroon", changed));
  EXPECT_TRUE(holds("fly_macaroon", fly));
  EXPECT_FALSE(holds("fly_macaroon", fly.substr(0, fly.size() - 6))) << "cut";
  changed = fly;
  changed[8] = 'J';  // the length of the key's id
  EXPECT_FALSE(holds("fly_macaroon", changed));
  EXPECT_TRUE(holds("fly_macaroon", std::string("fo1_") + "random"));
}

TEST(TokenStructures, AreThoseOfEncodedTexts) {
  EXPECT_TRUE(holds("vault_token", vault));
  EXPECT_FALSE(holds("vault_token", vault.substr(0, vault.size() - 2))) << "cut";
  EXPECT_TRUE(holds("vault_token", std::string("hvs.jKyfgSTJnHWv") + "RqzuzeGwn49C")) << "of no such structure";

  EXPECT_TRUE(holds("holds_json", "sk.eyJ1Ijoicm9ib3RzIiwiYSI6Im4ifQ.x")) << R"({"u":"robots","a":"n"})";
  EXPECT_FALSE(holds("holds_json", "sk.eyJ1Ijoicm9ib3RzIiwiYSI6Im4if.x")) << "cut";
  EXPECT_FALSE(holds("holds_json", "sk.eyJ1Ijoicm9ib3RzIiwBYSI6Im4ifQ.x")) << "a control character";
  EXPECT_FALSE(holds("holds_json", "sk.eyJ1Ijoicm9ib3RzIiwiYSI7Im4ifQ.x")) << "no colon";
  EXPECT_FALSE(holds("holds_json", "nothing"));
  EXPECT_TRUE(holds("holds_jwt", "ghs_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.x"));
  EXPECT_FALSE(holds("holds_jwt", "ghs_eyJzdWIiOiJhbm4ifQ.eyJzdWIiOiJhbm4ifQ.x")) << "no algorithm";
  EXPECT_FALSE(holds("holds_jwt", "ghs_eyJhbGciOiJIUzI1NiJ9.yJzdWIiOiJhbm4ifQ.x")) << "no claims";
  EXPECT_TRUE(holds("sentry_token", "sntrys_eyJpYXQiOjEuNSwib3JnIjoicm9ib3RzIn0=_x"));
  EXPECT_FALSE(holds("sentry_token", "sntrys_eyJpYXQiOjEuNSwib3JnIjoicm9ib3RzI50=_x"));

  const std::string jfrog = "cmVmdGtuOjAxOjAwMDAwMDAwMDA6MHpycENHTExSdHdNbnIzbFRxQWZGakd6bVRT";
  EXPECT_TRUE(holds("jfrog_reference", jfrog));
  EXPECT_FALSE(holds("jfrog_reference", "cmVmdGtuOjAx5" + jfrog.substr(13)));
  const std::string nx = std::string("M2Y5Y2E4MWItNjdlMC00YjJk") + "LTlhNWQtYzg0ZTE3ZjAzOWJk" + "fHJlYWQtd3JpdGU=";
  EXPECT_TRUE(holds("nx_token", nx));
  EXPECT_FALSE(holds("nx_token", "T" + nx.substr(1)));
}

// Any bytes: tokens come from outside.
TEST(TokenStructures, TakeAnyText) {
  for (const TokenStructure& structure : token_structures()) {
    for (const std::string& text :
         {std::string(), std::string("-"), std::string("_"), std::string("eyJ"), std::string("="),
          std::string(20'000, 'A'), std::string("pypi-Ag"), std::string("fm2_lJPE"), std::string(3, '\xff'),
          std::string("gl-") + std::string(9, '.')}) {
      structure.holds(text);
    }
    for (const Sealed& one : sealed) {
      for (std::size_t size = 0; size < one.token.size(); ++size) structure.holds(one.token.substr(0, size));
    }
    for (const std::string& token : {pypi, fly, vault}) {
      for (std::size_t size = 0; size < token.size(); ++size) structure.holds(token.substr(0, size));
    }
  }
}

TEST(TokenStructures, DecideBetweenHaltAndPage) {
  Scanner scanner(test::shipped_patterns());
  const auto tier_in = [&](const std::string& text) {
    const auto matches = scanner.scan(text);
    EXPECT_EQ(matches.size(), 1U);
    return matches.empty() ? Tier::count : matches[0].tier;
  };
  for (const std::string& token : {grafana, gitlab, azure_storage, pypi, fly, vault}) {
    EXPECT_EQ(tier_in("key: " + token), Tier::halt) << token.substr(0, 6);
    std::string changed = token;
    changed[token.size() - 8] = changed[token.size() - 8] == 'b' ? 'c' : 'b';
    if (token == pypi || token == fly || token == vault) changed = token.substr(0, token.size() - 8);
    EXPECT_EQ(tier_in("key: " + changed), Tier::page) << token.substr(0, 6);
  }
}

// A door writes findings, and the text does not go on.
TEST(TokenStructures, LeaveADoorsFindingThePageThatItWas) {
  EventSanitizer sanitizer(test::shipped_patterns(), Fingerprinter(std::vector<FingerprintKey>{{"", "a key"}}));
  NativeDecoder decoder;
  for (const std::string tier : {"page", "halt"}) {
    const std::string json =
        R"({"type":"tool.call","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"a","tool":"t","findings":[)"
        R"({"pattern":"grafana.service_account_token","tier":")" +
        tier + R"(","fingerprint":"54a93ecb2924ca46","place":"content"}]})";
    const auto event = decoder.decode(json);
    ASSERT_TRUE(event.has_value());
    const SanitizedEvent& sanitized = sanitizer.sanitize(*event.value());
    ASSERT_EQ(sanitized.findings().size(), 1U);
    EXPECT_EQ(to_text(sanitized.findings()[0].tier), tier);
  }
}

}  // namespace token_structures_test
}  // namespace tocsin
